//! Maximum likelihood for grouped, censored durations, and how far the data leave a quantile open.

mod simplex;

use domain::{History, Millis};

use super::shapes::Shape;
use super::survival::Survival;

/// What was observed, durations as logarithms of milliseconds.
pub struct Data {
    /// Runs that finished: between which two durations, and how many.
    pub finished: Vec<(f64, f64, f64)>,
    /// Runs that were cut off: after how long, and how many; the shortest first.
    pub cut: Vec<(f64, f64)>,
}

/// Before the first bucket ends nothing is resolved: a nanosecond.
const FIRST: f64 = -14.0;

impl Data {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn new(history: &History) -> Self {
        let log = |duration: Millis| if duration > Millis::ZERO { duration.as_ms_f64().ln() } else { FIRST };
        let mut cut: Vec<(f64, f64)> = history.cut.iter().map(|(after, count)| (log(*after), *count as f64)).collect();
        cut.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut finished: Vec<_> =
            history.finished.buckets().map(|bucket| (log(bucket.from), log(bucket.to), bucket.count as f64)).collect();
        // What finished in the bucket in which the rest was cut off, finished before that.
        if let (Some((from, to, _)), Some((last, _))) = (finished.last_mut(), cut.last())
            && *from < *last
            && *last < *to
        {
            *to = *last;
        }
        Self { finished, cut }
    }

    /// The longest that is known of any run.
    pub fn last(&self) -> f64 {
        let finished = self.finished.last().map_or(FIRST, |(_, to, _)| *to);
        self.cut.last().map_or(finished, |(at, _)| at.max(finished))
    }

    /// Less the logarithm of the likelihood.
    fn cost(&self, shape: Shape, p: &[f64]) -> f64 {
        const LEAST: f64 = 1e-280;
        // A faint pull towards moderate values keeps flat directions from running away; it weighs less than one run.
        const PULL: f64 = 1e-4;
        let mut cost: f64 = p.iter().map(|value| PULL * value * value).sum();
        let mut known = (f64::NAN, 0.0);
        for (from, to, count) in &self.finished {
            // Neighbours share an edge.
            let begin = if known.0.total_cmp(from).is_eq() { known.1 } else { shape.survival(p, *from) };
            let end = shape.survival(p, *to);
            known = (*to, end);
            cost -= count * (begin - end).max(LEAST).ln();
        }
        for (at, count) in &self.cut {
            cost -= count * shape.survival(p, *at).max(LEAST).ln();
        }
        cost
    }

    /// The mean of what lies between two durations.
    fn mean(&self, from: f64, to: f64) -> f64 {
        let finished = self.finished.iter().map(|(begin, end, count)| (0.5 * (begin.max(-3.0) + end), *count));
        // What was cut off would have gone on for a while; this is only where a search begins.
        let cut = self.cut.iter().map(|(at, count)| (at + 0.3, *count));
        let within = finished.chain(cut).filter(|(at, _)| (from..to).contains(at));
        let (sum, weight) = within.fold((0.0, 1e-9), |(sum, weight), (at, count)| (sum + at * count, weight + count));
        sum / weight
    }

    /// Where to begin the search.
    fn starts(&self, shape: Shape, survival: &Survival) -> Vec<Vec<f64>> {
        const ALL: (f64, f64) = (-99.0, 99.0);
        let mean = self.mean(ALL.0, ALL.1);
        match shape {
            Shape::Lognormal => vec![vec![mean, -0.3]],
            Shape::Burr => vec![vec![mean, 0.5, 0.0], vec![survival.reached(0.05), 2.5, -2.0], vec![mean + 1.0, 0.0, 1.0]],
            Shape::TwoLognormals => [0.3, 0.5, 0.7, 0.85]
                .map(|first: f64| {
                    let between = survival.reached(first);
                    vec![self.mean(ALL.0, between), -1.0, self.mean(between, ALL.1), -1.0, ((1.0 - first) / first).ln()]
                })
                .into(),
        }
    }
}

/// The most likely member of a family.
pub struct Fit {
    shape: Shape,
    at: Vec<f64>,
    /// Akaike's: twice the number of parameters less twice the logarithm of the likelihood. Smaller is better.
    pub criterion: f64,
}

/// Finds it, from the best of several starts.
pub fn fit(data: &Data, shape: Shape, survival: &Survival) -> Fit {
    let found = data.starts(shape, survival).into_iter().map(|start| simplex::descend(&start, &|p| data.cost(shape, p)));
    let (at, cost) = found.min_by(|a, b| a.1.total_cmp(&b.1)).expect("every family has a start");
    Fit { shape, at, criterion: 2.0 * shape.parameters() + 2.0 * cost }
}

impl Fit {
    /// The share that takes longer than `exp(log_ms)`.
    pub fn survival(&self, log_ms: f64) -> f64 {
        self.shape.survival(&self.at, log_ms)
    }

    /// The logarithm of the duration that a share of `longer` exceeds.
    pub fn quantile(&self, longer: f64) -> f64 {
        quantile(self.shape, &self.at, longer)
    }

    /// Whether most of what was cut off after `last` is a part of its own, of which less than `seen_min` was seen to finish:
    /// its size is then a guess.
    pub fn is_mostly_unseen(&self, last: f64, seen_min: f64) -> bool {
        let unseen = |(left, share): (f64, f64)| 1.0 - left < seen_min && share * left > 0.5 * self.survival(last);
        self.shape.second(&self.at, last).is_some_and(unseen)
    }

    /// The standard error of [`Fit::quantile`], by the delta method on the curvature of the likelihood; `None` where the data
    /// leave it open.
    pub fn standard_error(&self, data: &Data, longer: f64) -> Option<f64> {
        const STEP: f64 = 1e-3;
        let n = self.at.len();
        let moved = |steps: &[(usize, f64)]| {
            let mut p = self.at.clone();
            for (place, by) in steps {
                p[*place] += by;
            }
            p
        };
        let cost = |i: usize, by: f64, j: usize, other: f64| data.cost(self.shape, &moved(&[(i, by), (j, other)]));
        let curvature = |i: usize, j: usize| {
            let cross = cost(i, STEP, j, STEP) - cost(i, STEP, j, -STEP) - cost(i, -STEP, j, STEP) + cost(i, -STEP, j, -STEP);
            cross / (4.0 * STEP * STEP)
        };
        let curvatures: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| curvature(i, j)).collect()).collect();
        let slope = |i: usize| {
            let at = |by: f64| quantile(self.shape, &moved(&[(i, by)]), longer);
            (at(STEP) - at(-STEP)) / (2.0 * STEP)
        };
        let slopes: Vec<f64> = (0..n).map(slope).collect();
        let solved = simplex::solve(curvatures, slopes.clone())?;
        let variance: f64 = slopes.iter().zip(&solved).map(|(slope, solved)| slope * solved).sum();
        (variance.is_finite() && variance >= 0.0).then(|| variance.sqrt())
    }
}

fn quantile(shape: Shape, p: &[f64], longer: f64) -> f64 {
    // Up to 30 years; halved until nothing is left to halve.
    let (mut low, mut high) = (FIRST, 28.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if shape.survival(p, middle) > longer {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
