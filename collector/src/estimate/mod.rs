//! Which limit a function needs, from how long its requests took. Pure.
//!
//! A run that a limit cut off tells only that it would have taken longer: it is *censored*. Left out, such runs would make
//! the proposal too small, and the more of them there are the smaller. How they are counted in stands in
//! `docs/limits-from-history.md`, with the error that was measured:
//!
//! 1. `survival`: Kaplan and Meier's estimate of the share that takes longer, as far as runs were seen to finish. Where its
//!    upper bound reaches the target, that is the answer, and nothing is assumed.
//! 2. `fit`, `shapes`: beyond, three families are fitted by maximum likelihood. Those that follow the estimate are kept, and
//!    among the likely ones the longest upper bound counts.
//! 3. Nothing is proposed where there is too little, where no family fits, or where what was cut off has nothing in common
//!    with what finishes: then a higher limit would only hide the problem.
//!
//! `place` then holds the answer against the limits around it.

mod fit;
mod place;
mod shapes;
mod survival;

use domain::{History, Millis};

pub use place::{advice, as_written};

use fit::{Data, Fit};
use shapes::Shape;
use survival::Survival;

/// The share of requests that a proposed limit is meant to let finish.
pub const TARGET_SHARE: f64 = 0.995;

/// Of fewer runs nothing is said. Of so many, the longest lies beyond the target with a probability of 95 %
/// (0.995^600 = 0.049), so that the part that matters has been seen at all.
pub const RUNS_MIN: u64 = 600;

/// One-sided 95 % of the normal distribution.
const UPPER: f64 = 1.645;

/// How far the logarithm of the answer may be open: a standard error of 0.35 is a factor of 1.8 at 95 %.
const ERROR_MAX: f64 = 0.35;

/// A family this much worse by Akaike's criterion than the best is seven times less likely, and no longer looked at.
const LIKELY_WITHIN: f64 = 4.0;

/// Of runs that had come half-way to where they were cut off, this share had to be left: practically none finishes there,
/// which no family with a tail does.
const APART_SHARE: f64 = 0.9;

/// The share of a second lognormal that has to have been seen before its size is believed.
const SEEN_MIN: f64 = 0.1;

/// What follows from a history.
#[derive(Clone, Debug, PartialEq)]
pub enum Estimate {
    /// So much time lets [`TARGET_SHARE`] of the requests finish.
    Covers(Covers),
    /// What was cut off is unlike what finishes: it hangs, or is work of another size. How much time it would need, nobody
    /// can tell from this.
    Apart {
        /// The share that was cut off.
        share: f64,
    },
    /// Too few runs for an answer.
    TooFew {
        /// How many there are.
        runs: u64,
        /// How many of this kind would do, as far as can be told.
        needed: u64,
    },
    /// The durations follow no family that is known here.
    NoShape,
}

/// How much time is enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Covers {
    /// The upper bound, at 95 %, of the time that the target needs.
    pub time: Millis,
    /// The single most likely value.
    pub likely: Millis,
    /// Whether so long runs were seen to finish; else it is worked out from the shape of what was seen.
    pub observed: bool,
}

/// What a history says about the time that a function needs.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub fn estimate(history: &History) -> Estimate {
    let runs = history.runs();
    if runs < RUNS_MIN {
        return Estimate::TooFew { runs, needed: RUNS_MIN };
    }
    let longer = 1.0 - TARGET_SHARE;
    let data = Data::new(history);
    let survival = Survival::of(&data);
    if let Some((likely, upper)) = survival.quantile(longer, UPPER) {
        return Estimate::Covers(Covers { time: from_log(upper), likely: from_log(likely), observed: true });
    }
    let apart = Estimate::Apart { share: history.cut_runs() as f64 / runs as f64 };
    if survival.left_of_second_half() > APART_SHARE {
        return apart;
    }
    let fits: Vec<Fit> = Shape::ALL.into_iter().map(|shape| fit::fit(&data, shape, &survival)).filter(|fit| survival.agrees(fit)).collect();
    let Some(best) = fits.iter().min_by(|a, b| a.criterion.total_cmp(&b.criterion)) else { return Estimate::NoShape };
    if best.is_mostly_unseen(data.last(), SEEN_MIN) {
        return apart;
    }
    let error = best.standard_error(&data, longer).unwrap_or(f64::INFINITY);
    if error > ERROR_MAX {
        return Estimate::TooFew { runs, needed: needed(runs, error) };
    }
    let likely = fits.iter().filter(|fit| fit.criterion <= best.criterion + LIKELY_WITHIN && !fit.is_mostly_unseen(data.last(), SEEN_MIN));
    let bounds = likely.filter_map(|fit| {
        let error = fit.standard_error(&data, longer).filter(|error| *error <= ERROR_MAX)?;
        Some(fit.quantile(longer) + UPPER * error)
    });
    let upper = bounds.fold(f64::NEG_INFINITY, f64::max);
    Estimate::Covers(Covers { time: from_log(upper), likely: from_log(best.quantile(longer)), observed: false })
}

/// How many runs bring the standard error down to what is allowed: it falls with the root of their number.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rough number, bounded")]
fn needed(runs: u64, error: f64) -> u64 {
    // Where the data leave it open altogether, twice as many are the least that could help.
    let factor = (error / ERROR_MAX).powi(2).clamp(2.0, 100.0);
    let needed = runs as f64 * factor;
    let unit = 10_f64.powf(needed.log10().floor() - 1.0);
    ((needed / unit).ceil() * unit) as u64
}

fn from_log(log_ms: f64) -> Millis {
    Millis::from_ms_f64(log_ms.exp())
}

#[cfg(test)]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and shares of simulations"
)]
mod tests;
