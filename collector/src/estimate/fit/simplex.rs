//! The least value of a function of few parameters, by Nelder and Mead's simplex search (The Computer Journal 7, 1965), and
//! the solution of a small system of equations. A library of numerics for these two would be the largest that we depend on.

/// A point and its value.
type Corner = (Vec<f64>, f64);

/// Steps at most; the functions here need a few hundred.
const STEPS_MAX: usize = 1500;
/// Values this near to each other are equal.
const DONE: f64 = 1e-7;
/// How far the first corners lie from the start.
const REACH: f64 = 0.3;

/// Descends from `start`.
pub fn descend(start: &[f64], value: &dyn Fn(&[f64]) -> f64) -> Corner {
    let n = start.len();
    let corner = |p: Vec<f64>| {
        let value = value(&p);
        (p, value)
    };
    let reached = |place: usize| {
        let mut p = start.to_vec();
        p[place] += REACH;
        p
    };
    let mut simplex: Vec<Corner> = std::iter::once(start.to_vec()).chain((0..n).map(reached)).map(corner).collect();
    for _ in 0..STEPS_MAX {
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        if simplex[n].1 - simplex[0].1 < DONE {
            break;
        }
        match better(&simplex, &corner) {
            Some(found) => simplex[n] = found,
            None => {
                let best = simplex[0].0.clone();
                for shrunk in &mut simplex[1..] {
                    *shrunk = corner(between(&best, &shrunk.0, 0.5));
                }
            }
        }
    }
    simplex.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).expect("a simplex has corners")
}

/// A corner to put in place of the worst; `None` when all should move towards the best.
fn better(sorted: &[Corner], corner: &dyn Fn(Vec<f64>) -> Corner) -> Option<Corner> {
    let (worst, others) = sorted.split_last().expect("a simplex has corners");
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let number = others.len() as f64;
    let centre: Vec<f64> = (0..others.len()).map(|place| others.iter().map(|(p, _)| p[place]).sum::<f64>() / number).collect();
    let away = |factor: f64| corner(between(&centre, &worst.0, -factor));
    let reflected = away(1.0);
    if reflected.1 < others[0].1 {
        let expanded = away(2.0);
        return Some(if expanded.1 < reflected.1 { expanded } else { reflected });
    }
    if others.last().is_some_and(|(_, value)| reflected.1 < *value) {
        return Some(reflected);
    }
    let contracted = away(if reflected.1 < worst.1 { 0.5 } else { -0.5 });
    Some(contracted).filter(|contracted| contracted.1 < worst.1.min(reflected.1))
}

/// From `a` towards `b`, `share` of the way.
fn between(a: &[f64], b: &[f64], share: f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + share * (b - a)).collect()
}

/// Solves a small system by Gauss's elimination; `None` if it has no definite solution.
pub fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    const LEAST_PIVOT: f64 = 1e-9;
    let n = right.len();
    for column in 0..n {
        let pivot = (column..n).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        if matrix[pivot][column].abs() < LEAST_PIVOT {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let row_above = matrix[column].clone();
        for row in column + 1..n {
            let factor = matrix[row][column] / row_above[column];
            matrix[row].iter_mut().zip(&row_above).skip(column).for_each(|(value, above)| *value -= factor * above);
            right[row] -= factor * right[column];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|place| matrix[row][place] * right[place]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valley_is_found() {
        // Rosenbrock's: its least value, 0, lies at (1, 1) in a bent valley.
        let (at, value) = descend(&[-1.2, 1.0], &|p| 100.0 * (p[1] - p[0] * p[0]).powi(2) + (1.0 - p[0]).powi(2));
        assert!((at[0] - 1.0).abs() < 1e-2 && (at[1] - 1.0).abs() < 1e-2 && value < 1e-4, "{at:?} {value}");
    }

    #[test]
    fn equations_are_solved_or_refused() {
        let solved = solve(vec![vec![0.0, 2.0], vec![1.0, 1.0]], vec![4.0, 3.0]).expect("definite");
        assert!((solved[0] - 1.0).abs() < 1e-12 && (solved[1] - 2.0).abs() < 1e-12);
        assert_eq!(solve(vec![vec![1.0, 2.0], vec![2.0, 4.0]], vec![1.0, 2.0]), None);
    }
}
