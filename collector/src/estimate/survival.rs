//! Kaplan and Meier's estimate: the share of runs that take longer, as far as runs were seen to finish (Journal of the
//! American Statistical Association 53, 1958), with Greenwood's variance.

use super::fit::{Data, Fit};

/// The share that is left after each bucket in which runs finished.
pub struct Survival {
    steps: Vec<Step>,
    /// The last moment at which a run was cut off, in logarithms of milliseconds; `None` when none was.
    last_cut: Option<f64>,
    runs: f64,
}

struct Step {
    /// The end of the bucket.
    to: f64,
    /// The share that takes longer.
    left: f64,
    /// Its standard error.
    error: f64,
}

impl Survival {
    pub fn of(data: &Data) -> Self {
        let cut: f64 = data.cut.iter().map(|(_, count)| count).sum();
        let runs = data.finished.iter().map(|(_, _, count)| count).sum::<f64>() + cut;
        let (mut at_risk, mut left, mut greenwood) = (runs, 1.0, 0.0);
        let mut cuts = data.cut.iter().peekable();
        let mut steps = Vec::with_capacity(data.finished.len());
        for (from, to, count) in &data.finished {
            while let Some((_, gone)) = cuts.next_if(|(at, _)| at <= from) {
                at_risk -= gone;
            }
            left *= 1.0 - count / at_risk;
            if at_risk > *count {
                greenwood += count / (at_risk * (at_risk - count));
            }
            at_risk -= count;
            steps.push(Step { to: *to, left, error: left * greenwood.sqrt() });
        }
        Self { steps, last_cut: data.cut.last().map(|(at, _)| *at), runs }
    }

    /// The logarithms of the duration that a share of `longer` exceeds, and of its upper bound at `z` standard errors; `None`
    /// where the runs that finished do not reach so far.
    pub fn quantile(&self, longer: f64, z: f64) -> Option<(f64, f64)> {
        let first = |fits: &dyn Fn(&Step) -> bool| self.steps.iter().find(|step| fits(step)).map(|step| step.to);
        // Where none is left, the estimate has no error to speak of; then as many as could have hidden among so many runs.
        let hidden = 3.0 / self.runs;
        let upper = first(&|step| (step.left + z * step.error).max(if step.left <= 0.0 { hidden } else { 0.0 }) <= longer)?;
        Some((first(&|step| step.left <= longer)?, upper))
    }

    /// Of the runs that had come to half of the time after which they were cut off, the share that was then still running.
    pub fn left_of_second_half(&self) -> f64 {
        let Some(last) = self.last_cut else { return 0.0 };
        let half = last - std::f64::consts::LN_2;
        let before = self.steps.iter().take_while(|step| step.to <= half).last().map_or(1.0, |step| step.left);
        let end = self.steps.last().map_or(1.0, |step| step.left);
        if before > 0.0 { end / before } else { 0.0 }
    }

    /// Whether a fit follows what was seen: nowhere further from it than chance takes samples of this size (Kolmogorov, 5 %),
    /// or than two of a hundred runs.
    pub fn agrees(&self, fit: &Fit) -> bool {
        let gap = self.steps.iter().map(|step| (step.left - fit.survival(step.to)).abs()).fold(0.0, f64::max);
        gap <= f64::max(0.02, 1.36 / self.runs.sqrt())
    }

    /// The duration that a share of `done` does not exceed; the last one where it was not reached.
    pub fn reached(&self, done: f64) -> f64 {
        let found = self.steps.iter().find(|step| 1.0 - step.left >= done).or(self.steps.last());
        found.map_or(0.0, |step| step.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(finished: &[(f64, f64)], cut: &[(f64, f64)]) -> Vec<f64> {
        let data = Data { finished: finished.iter().map(|(to, count)| (to - 0.1, *to, *count)).collect(), cut: cut.to_vec() };
        Survival::of(&data).steps.iter().map(|step| (step.left * 1000.0).round() / 1000.0).collect()
    }

    /// Six runs: 1 finished, 1 was cut off, 2 finished, then 1, and 1 was cut off last. By hand: 5/6, then 5/6 · 2/4, then
    /// half of that.
    #[test]
    fn those_cut_off_count_until_then() {
        assert_eq!(check(&[(1.0, 1.0), (3.0, 2.0), (4.0, 1.0)], &[(2.0, 1.0), (5.0, 1.0)]), [0.833, 0.417, 0.208]);
    }

    #[test]
    fn without_any_it_is_the_plain_share() {
        assert_eq!(check(&[(1.0, 1.0), (2.0, 2.0), (3.0, 1.0)], &[]), [0.75, 0.25, 0.0]);
    }
}
