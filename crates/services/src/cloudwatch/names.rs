//! Metrics, dimensions and units between the wire and the engine.

use tidemill_api::cloudwatch as api;
use tidemill_metric::{Dimension, MetricKey, Unit};

use crate::context::Context;

/// The caller's metric of these names.
pub(super) fn key(
    cx: &Context<'_>,
    namespace: &str,
    name: &str,
    dimensions: Option<&Vec<api::Dimension>>,
) -> MetricKey {
    let dimensions = read_dimensions(dimensions);
    MetricKey::new(cx.account(), cx.region.clone(), namespace, name, dimensions)
}

pub(super) fn read_dimensions(dimensions: Option<&Vec<api::Dimension>>) -> Vec<Dimension> {
    let dimensions = dimensions.map_or(&[][..], Vec::as_slice);
    dimensions.iter().map(|one| Dimension::new(&one.name, &one.value)).collect()
}

pub(super) fn write_dimensions(dimensions: &[Dimension]) -> Vec<api::Dimension> {
    let dimension = |one: &Dimension| api::Dimension {
        name: one.name.to_string(),
        value: one.value.to_string(),
    };
    dimensions.iter().map(dimension).collect()
}

/// The first of these parameters that was given.
pub(super) fn first_given<'a>(parameters: &[(&'a str, bool)]) -> Option<&'a str> {
    parameters.iter().find(|(_, given)| *given).map(|(name, _)| *name)
}

/// Refuses dimensions of which two have the same name.
pub(super) fn check_distinct(dimensions: &[Dimension]) -> Result<(), String> {
    let mut names: Vec<&str> = dimensions.iter().map(|one| &*one.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("No Metric may specify the same dimension twice.".to_owned());
    }
    Ok(())
}

/// Refuses control characters in a name: XML cannot say them, and tokens rely on there being none.
pub(super) fn check(name: &str, parameter: &str) -> Result<(), String> {
    if name.contains(|c: char| c.is_control() || is_unsaid(c)) {
        return Err(format!("The parameter {parameter} must not contain control characters."));
    }
    Ok(())
}

/// The same in what people are told, which may have several lines.
pub(super) fn check_text(text: &str, parameter: &str) -> Result<(), String> {
    if text.contains(is_unsaid) {
        return Err(format!(
            "The parameter {parameter} must not contain control characters but tabs and line ends."
        ));
    }
    Ok(())
}

/// What XML cannot say, even in a reference.
fn is_unsaid(c: char) -> bool {
    let is_blank = matches!(c, '\t' | '\n' | '\r');
    (c.is_ascii_control() && c != '\u{7f}' && !is_blank) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Refuses control characters in whatever a metric is called.
pub(crate) fn check_metric(key: &MetricKey, metric: &str) -> Result<(), String> {
    check(&key.namespace, &format!("{metric}Namespace"))?;
    check(&key.name, &format!("{metric}MetricName"))?;
    for dimension in key.dimensions() {
        check(&dimension.name, &format!("{metric}Dimensions"))?;
        check(&dimension.value, &format!("{metric}Dimensions"))?;
    }
    Ok(())
}

/// The unit of this name.
pub(super) fn unit(unit: &api::StandardUnit) -> Unit {
    // A test below looks that there are all that the model has.
    unit.as_str().parse().expect("the model allows no other units than there are")
}

pub(super) fn write_unit(unit: Unit) -> api::StandardUnit {
    unit.as_str().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_every_unit_that_the_model_allows() {
        let input = api::SERVICE.operation("PutMetricAlarm").unwrap().input;
        let unit = input.shape.members().iter().find(|member| member.name == "Unit").unwrap();
        assert!(unit.shape.values.contains(&"Count/Second"));
        for name in unit.shape.values {
            assert_eq!(name.parse().map(Unit::as_str), Ok(*name));
        }
    }

    #[test]
    fn dimensions_are_distinct_by_their_names() {
        let all = |names: &[&str]| -> Vec<Dimension> {
            names.iter().map(|name| Dimension::new(name, "same")).collect()
        };
        assert!(check_distinct(&all(&["b", "a", "c"])).is_ok());
        assert!(check_distinct(&all(&["b", "a", "b"])).is_err());
    }
}
