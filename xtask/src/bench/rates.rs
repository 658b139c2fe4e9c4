//! How fast answers come by different ways: rates taken by turns, as a table.

use super::sample::wait_for_rest;
use anyhow::{Context, Result};

/// A name and how to take one rate of it.
pub(super) type Way<'a> = (String, Box<dyn FnMut() -> Result<f64> + 'a>);

/// Takes all rates by turns, after one round that does not count. The first row is what the others are measured by.
pub(super) fn rates(title: &str, unit: &str, rounds: usize, ways: &mut [Way<'_>]) -> Result<String> {
    let mut rows: Vec<_> = ways.iter().map(|(name, _)| (name.clone(), Vec::new())).collect();
    for round in 0..=rounds {
        for ((name, take), (_, taken)) in ways.iter_mut().zip(&mut rows) {
            wait_for_rest();
            let rate = take().with_context(|| name.clone())?;
            if round > 0 {
                taken.push(rate);
            }
        }
    }
    Ok(markdown(title, unit, rows))
}

fn markdown(title: &str, unit: &str, rows: Vec<(String, Vec<f64>)>) -> String {
    let count = rows.first().map_or(0, |(_, taken)| taken.len());
    let first = rows.first().map_or("", |(name, _)| name);
    let mut text = format!("\n### {title}\n\n{count} samples each, interleaved; times that of: {first}\n\n");
    text += &format!("| {unit} | max | median | times (max) | times (median) |\n|---|---:|---:|---:|---:|\n");
    let mut base = None;
    for (name, mut taken) in rows {
        taken.sort_by(f64::total_cmp);
        let at = |index: usize| taken.get(index).copied().unwrap_or(f64::NAN);
        let (max, median) = (at(taken.len().saturating_sub(1)), at(taken.len() / 2));
        let (base_max, base_median) = *base.get_or_insert((max, median));
        text += &format!("| {name} | {max:.0} | {median:.0} | {:.2} | {:.2} |\n", max / base_max, median / base_median);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::markdown;
    use expect_test::expect;

    #[test]
    fn rates_are_measured_by_the_first_row() {
        let rows = vec![("direct".to_owned(), vec![40.0, 50.0, 45.0]), ("kist".to_owned(), vec![41.0, 49.0, 48.0])];
        expect![[r#"

            ### from outside

            3 samples each, interleaved; times that of: direct

            | requests/s | max | median | times (max) | times (median) |
            |---|---:|---:|---:|---:|
            | direct | 50 | 45 | 1.00 | 1.00 |
            | kist | 49 | 48 | 0.98 | 1.07 |
        "#]]
        .assert_eq(&markdown("from outside", "requests/s", rows));
    }
}
