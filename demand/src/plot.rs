//! Drawings of plays, as SVG: the load and how many workers each mind had for it.

use std::fmt::Write;

use crate::{Played, SERVICE, Trace};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 40.0;
/// Room for the half of the last label that is beyond the end.
const RIGHT: f64 = 30.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 30.0;
/// One colour a mind, told apart by any eye.
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];

/// Draws how many workers there were over time, for each of the plays by name, above the load.
pub fn draw(trace: Trace, plays: &[(&str, &Played)]) -> String {
    let most = plays.iter().flat_map(|(_, played)| &played.alive).max().copied().unwrap_or(1);
    let area = Area { seconds: trace.length(), most: f64::from(most.max(1)) * 1.05 };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    area.axes(&mut svg);
    let load: Vec<(f64, f64)> = (0..=200)
        .map(|step| f64::from(step) * trace.length() / 200.0)
        .map(|at| (at, trace.rate(at) * SERVICE))
        .collect();
    area.load(&mut svg, &load);
    for ((name, played), colour) in plays.iter().zip(COLOURS) {
        area.line(&mut svg, &steps(&played.alive), colour);
        let at = plays.iter().position(|(other, _)| other == name).unwrap_or_default();
        let x = LEFT + 170.0 + at as f64 * 130.0;
        label(&mut svg, x, 18.0, colour, &format!("workers, {name}"));
    }
    label(&mut svg, LEFT, 18.0, "#888888", &format!("{}: work that comes", trace.name()));
    svg.push_str("</svg>\n");
    svg
}

struct Area {
    seconds: f64,
    most: f64,
}

impl Area {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.seconds * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, workers: f64) -> f64 {
        HEIGHT - BOTTOM - workers / self.most * (HEIGHT - TOP - BOTTOM)
    }

    fn axes(&self, svg: &mut String) {
        let every = [1.0, 2.0, 5.0, 10.0, 20.0];
        let every = every.into_iter().find(|every| self.most / every <= 6.0).unwrap_or(50.0);
        let mut workers = 0.0;
        while workers <= self.most {
            let y = self.y(workers);
            let (from, to) = (self.x(0.0), self.x(self.seconds));
            put(svg, &format!("<path d=\"M{from:.1} {y:.1}H{to:.1}\" stroke=\"#dddddd\"/>"));
            label(svg, 12.0, y + 4.0, "#555555", &format!("{workers}"));
            workers += every;
        }
        let mut at = 0.0;
        while at <= self.seconds {
            label(svg, self.x(at) - 8.0, HEIGHT - 10.0, "#555555", &format!("{} min", at / 60.0));
            at += 300.0;
        }
    }

    fn load(&self, svg: &mut String, points: &[(f64, f64)]) {
        let path = self.path(points);
        let (end, start) = (self.x(self.seconds), self.x(0.0));
        let floor = self.y(0.0);
        put(
            svg,
            &format!(
                "<path d=\"{path}L{end:.1} {floor:.1}L{start:.1} {floor:.1}Z\" \
                           fill=\"#cccccc\"/>"
            ),
        );
    }

    fn line(&self, svg: &mut String, points: &[(f64, f64)], colour: &str) {
        let path = self.path(points);
        put(
            svg,
            &format!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" \
                           stroke-width=\"1.5\"/>"
            ),
        );
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        for (at, workers) in points {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let (x, y) = (self.x(*at), self.y(*workers));
            write!(path, "{command}{x:.1} {y:.1}").expect("a String takes all");
        }
        path
    }
}

/// The corners of a line that only changes at whole seconds.
fn steps(alive: &[u32]) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut before = None;
    for (second, count) in (1_u32..).zip(alive) {
        if before != Some(count) {
            if let Some(before) = before {
                points.push((f64::from(second), f64::from(*before)));
            }
            points.push((f64::from(second), f64::from(*count)));
        }
        before = Some(count);
    }
    points.extend(before.map(|last| (alive.len() as f64, f64::from(*last))));
    points
}

fn label(svg: &mut String, x: f64, y: f64, colour: &str, text: &str) {
    put(svg, &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{text}</text>"));
}

fn put(svg: &mut String, line: &str) {
    svg.push_str(line);
    svg.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_corner_only_where_it_changes() {
        let corners = [(1.0, 1.0), (3.0, 1.0), (3.0, 4.0), (4.0, 4.0)];
        assert_eq!(steps(&[1, 1, 4, 4]), corners);
    }

    #[test]
    fn a_drawing_has_a_line_for_each_play() {
        let played = Played { waits: Vec::new(), cost: 0.0, alive: vec![1, 2], wanted: vec![1, 2] };
        let svg = draw(Trace::Step, &[("fast", &played), ("aws", &played)]);
        assert_eq!(svg.matches("fill=\"none\"").count(), 2);
        assert!(svg.ends_with("</svg>\n"));
    }
}
