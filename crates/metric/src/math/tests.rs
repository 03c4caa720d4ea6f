//! Expressions by AWS's documented examples, and what is refused.

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn at(minute: u32) -> Timestamp {
    Timestamp::from_millis(1_700_000_040_000) + MINUTE * minute
}

/// A line of these values, a minute each. Where there is none, it is no number.
fn points(values: &[f64]) -> Points {
    let values = (0..).map(at).zip(values.iter().copied());
    values.filter(|(_, value)| !value.is_nan()).collect()
}

const NONE: f64 = f64::NAN;

fn scope(known: &[(&str, &[f64])]) -> Scope {
    let one = |(id, values): &(&str, &[f64])| Known {
        id: (*id).to_owned(),
        value: Value::Line(Line { label: (*id).to_uppercase(), points: points(values) }),
        period: Some(MINUTE),
    };
    let known = known.iter().map(one).collect();
    Scope { known, range: (at(0), at(5)), period: MINUTE, left: 10_000 }
}

fn work_out(expression: &str, known: &[(&str, &[f64])]) -> Result<Value, BadExpression> {
    Expression::read(expression)?.work_out(&mut scope(known))
}

/// Works out what gives one line, to its points.
fn line(expression: &str, known: &[(&str, &[f64])]) -> Points {
    match work_out(expression, known) {
        Ok(Value::Line(line)) => line.points,
        other => panic!("{expression} gives {other:?}"),
    }
}

fn number(expression: &str, known: &[(&str, &[f64])]) -> f64 {
    match work_out(expression, known) {
        Ok(Value::Number(number)) => number,
        other => panic!("{expression} gives {other:?}"),
    }
}

#[test]
fn comparisons_give_what_is_documented() {
    let known: [(&str, &[f64]); 2] =
        [("m1", &[30.0, 20.0, 0.0, 0.0]), ("m2", &[20.0, NONE, 20.0, NONE])];
    for (expression, expected) in [
        ("m1 < m2", [0.0, 0.0, 1.0, 0.0]),
        ("(m1 >= 30)", [1.0, 0.0, 0.0, 0.0]),
        ("(m1 > 15 AND m2 > 15)", [1.0, 0.0, 0.0, 0.0]),
        ("m1 > 15 && m2 > 15", [1.0, 0.0, 0.0, 0.0]),
        ("m1 == 0 || m2 != 20", [0.0, 0.0, 1.0, 1.0]),
    ] {
        assert_eq!(line(expression, &known), points(&expected), "{expression}");
    }
}

#[test]
fn a_choice_gives_what_is_documented() {
    let known: [(&str, &[f64]); 3] = [
        ("c", &[1.0, 1.0, 0.0, 0.0, NONE]),
        ("m2", &[30.0, NONE, 0.0, 0.0, 30.0]),
        ("m3", &[0.0, 0.0, 20.0, NONE, 20.0]),
    ];
    for (expression, expected) in [
        ("IF(c, m2, m3)", vec![30.0, 0.0, 20.0]),
        ("IF(c, 5, m3)", vec![5.0, 5.0, 20.0]),
        ("IF(c, m2, 5)", vec![30.0, 0.0, 5.0, 5.0]),
        ("IF(c, m2)", vec![30.0, 0.0]),
        ("IF(0, m2)", vec![]),
        ("IF(1, m2, 1)", vec![30.0, NONE, 0.0, 0.0, 30.0]),
    ] {
        assert_eq!(line(expression, &known), points(&expected), "{expression}");
    }
}

#[test]
fn what_is_missing_counts_as_nothing_and_nothing_is_divided_by_nothing() {
    let known: [(&str, &[f64]); 2] = [("m1", &[6.0, NONE, 8.0]), ("m2", &[2.0, 4.0, 0.0])];
    assert_eq!(line("m1 / m2", &known), points(&[3.0, 0.0]));
    assert_eq!(line("m1 + m2", &known), points(&[8.0, 4.0, 8.0]));
    assert_eq!(line("-m1 - 1", &known), points(&[-7.0, NONE, -9.0]));
    assert_eq!(line("2 ^ 3 ^ 1 * m2 + 1e1", &known), points(&[26.0, 42.0, 10.0]));
    assert_eq!(line("LOG10(m2 * 5)", &known)[&at(0)], 1.0);
    assert_eq!(line("LOG10(m2)", &known).len(), 2);
}

#[test]
fn one_line_becomes_a_number_and_many_become_a_line() {
    let known: [(&str, &[f64]); 2] = [("m1", &[1.0, NONE, 3.0]), ("m2", &[5.0, 6.0])];
    for (expression, expected) in [
        ("SUM(m1)", 4.0),
        ("AVG(m1)", 2.0),
        ("MIN(m1)", 1.0),
        ("MAX(m1)", 3.0),
        ("STDDEV(m1)", 1.0),
        ("DATAPOINT_COUNT(m1)", 2.0),
        ("METRIC_COUNT(METRICS())", 2.0),
        ("PERIOD(m1) / 60", 1.0),
    ] {
        assert_eq!(number(expression, &known), expected, "{expression}");
    }
    for (expression, expected) in [
        ("SUM(METRICS())", [6.0, 6.0, 3.0]),
        ("AVG([m1, m2])", [3.0, 3.0, 1.5]),
        ("MIN([m1, m2])", [1.0, 6.0, 3.0]),
        ("MAX([METRICS(\"1\"), METRICS('2')])", [5.0, 6.0, 3.0]),
        ("DATAPOINT_COUNT(METRICS())", [2.0, 1.0, 1.0]),
    ] {
        assert_eq!(line(expression, &known), points(&expected), "{expression}");
    }
}

#[test]
fn steps_and_gaps() {
    let known: [(&str, &[f64]); 1] = [("m", &[NONE, 1.0, NONE, 61.0])];
    for (expression, expected) in [
        ("DIFF(m)", vec![NONE, NONE, NONE, 60.0]),
        ("DIFF_TIME(m)", vec![NONE, NONE, NONE, 120.0]),
        ("RATE(m)", vec![NONE, NONE, NONE, 0.5]),
        ("RUNNING_SUM(m)", vec![NONE, 1.0, NONE, 62.0]),
        ("FILL(m, 7)", vec![7.0, 1.0, 7.0, 61.0, 7.0]),
        ("FILL(m, REPEAT)", vec![NONE, 1.0, 1.0, 61.0, 61.0]),
        ("FILL(m, LINEAR)", vec![NONE, 1.0, 31.0, 61.0]),
        ("FILL(m, m)", vec![NONE, 1.0, NONE, 61.0]),
        ("TIME_SERIES(MAX(m))", vec![61.0; 5]),
        ("ABS(FLOOR(m / -2))", vec![NONE, 1.0, NONE, 31.0]),
        ("CEIL(m / 2)", vec![NONE, 1.0, NONE, 31.0]),
    ] {
        assert_eq!(line(expression, &known), points(&expected), "{expression}");
    }
}

#[test]
fn lists_are_sorted_and_cut() {
    let known: [(&str, &[f64]); 3] = [("m1", &[2.0]), ("m2", &[3.0]), ("m3", &[])];
    for (expression, expected) in [
        ("SORT(METRICS(), AVG, DESC)", vec!["M2", "M1", "M3"]),
        ("SORT(METRICS(), SUM, ASC, 2)", vec!["M3", "M1"]),
        ("SLICE(METRICS(), 1)", vec!["M2", "M3"]),
        ("SLICE(METRICS(), 0, 1)", vec!["M1"]),
        ("REMOVE_EMPTY(METRICS())", vec!["M1", "M2"]),
        ("m1 * METRICS()", vec!["M1", "M2", "M3"]),
    ] {
        let Ok(Value::Lines(lines)) = work_out(expression, &known) else { panic!("{expression}") };
        let labels: Vec<_> = lines.iter().map(|line| &*line.label).collect();
        assert_eq!(labels, expected, "{expression}");
    }
    assert_eq!(line("FIRST(METRICS())", &known), points(&[2.0]));
    assert_eq!(line("LAST(METRICS())", &known), points(&[]));
}

#[test]
fn what_is_no_expression_is_refused_and_says_why() {
    for (expression, why) in [
        ("", "it ends too soon"),
        ("m1 +", "it ends too soon"),
        ("(m1", "it ends where \")\" is missing"),
        ("m1 m2", "it does not end before \"m2\""),
        ("m9", "there is no m9"),
        ("1.2.3", "1.2.3 is no number"),
        ("SEARCH('x', 'Sum', 60)", "the function SEARCH is not understood yet"),
        ("DAY(m1)", "the function DAY is not understood yet"),
        ("IF(m1)", "IF is not for what it is given"),
        ("METRIC_COUNT(m1)", "METRIC_COUNT is not for what it is given"),
        ("PERIOD(1)", "PERIOD is not for what it is given"),
        ("[1]", "a list holds no numbers"),
        ("METRICS() + METRICS()", "two lists cannot be put together"),
        ("REPEAT", "\"REPEAT\" means nothing where it stands"),
        ("\"x", "a quotation in it does not end"),
        ("m1 % 2", "it does not end before \"% 2\""),
        (&"(".repeat(2000), "its brackets are too deep"),
        (&"1+".repeat(1000), "it has more than 256 operators"),
        ("FILL(m1, TIME_SERIES(1)) + [m1, m1, m1, m1, m1, m1, m1]", "it makes too many datapoints"),
    ] {
        let mut scope = Scope { left: 16, ..scope(&[("m1", &[1.0])]) };
        let worked_out = Expression::read(expression).and_then(|it| it.work_out(&mut scope));
        assert_eq!(worked_out, Err(BadExpression(why.to_owned())), "{expression}");
    }
}

#[test]
fn what_would_take_too_much_memory_is_refused_before_it_is_made() {
    // All of time in seconds, and a hundred thousand lines: either would be made for long.
    let known: [(&str, &[f64]); 2] = [("m", &[1.0, 2.0]), ("none", &[])];
    let range = (Timestamp::EPOCH, Timestamp::from_millis(253_402_300_799_000));
    let ever = Scope { range, period: Duration::from_secs(1), ..scope(&known) };
    let nothing = Known {
        id: "e".to_owned(),
        value: Value::Lines(vec![Line::default(); 100_000]),
        period: None,
    };
    for expression in [
        "TIME_SERIES(1)",
        "FILL(m, 0)",
        "FILL(METRICS(), REPEAT)",
        "[e, e]",
        "e * 2",
        "m + e",
        "e + m",
    ] {
        let left = 150_000;
        let known = [ever.known.clone(), vec![nothing.clone()]].concat();
        let mut scope = Scope { known, range, period: ever.period, left };
        let worked_out = Expression::read(expression).unwrap().work_out(&mut scope);
        let why = "it makes too many datapoints".to_owned();
        assert_eq!(worked_out, Err(BadExpression(why)), "{expression}");
    }
}

#[test]
fn what_is_no_number_is_left_out_whatever_made_it() {
    let known: [(&str, &[f64]); 2] = [("m1", &[f64::MAX, 1.0]), ("m2", &[f64::MAX, f64::MAX])];
    for expression in ["SUM([m1, m2])", "m1 * m2", "AVG([m1, m2])"] {
        assert!(line(expression, &known).values().all(|value| value.is_finite()), "{expression}");
    }
    assert_eq!(line("RUNNING_SUM(m2)", &known), points(&[f64::MAX]));
}

#[test]
fn an_expression_says_what_it_speaks_of() {
    let expression = Expression::read("IF(m1 > 1, SUM([m2, e1]), 0)").unwrap();
    let mut ids = expression.speaks_of();
    ids.sort_unstable();
    assert_eq!(ids, ["e1", "m1", "m2"]);
}
