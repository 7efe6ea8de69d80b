//! Families of distributions that durations follow, by their survival: the share of runs that take longer.

/// A family. Parameters are unbounded numbers, so that a search may step anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The logarithm is normal: what many small delays multiplied give. Parameters: its mean, the logarithm of its deviation.
    Lognormal,
    /// Burr's twelfth: tails of any weight (Pareto, Lomax, log-logistic), and Weibull at its edge. Parameters: the logarithms
    /// of scale, of the inner and of the outer exponent.
    Burr,
    /// Two lognormals: hit and miss, small and large. Parameters: those of both, and the log-odds of the second.
    TwoLognormals,
}

impl Shape {
    /// All families.
    pub const ALL: [Self; 3] = [Self::Lognormal, Self::Burr, Self::TwoLognormals];

    /// How many parameters it has.
    pub fn parameters(self) -> f64 {
        match self {
            Self::Lognormal => 2.0,
            Self::Burr => 3.0,
            Self::TwoLognormals => 5.0,
        }
    }

    /// The share of runs that take longer than `exp(log_ms)`.
    pub fn survival(self, p: &[f64], log_ms: f64) -> f64 {
        match self {
            Self::Lognormal => normal_tail((log_ms - p[0]) / deviation(p[1])),
            Self::Burr => {
                let inner = p[1].clamp(-4.0, 5.0).exp() * (log_ms - p[0]);
                // ln(1 + e^inner), which for large ones is `inner`.
                let log = if inner > 30.0 { inner } else { inner.exp().ln_1p() };
                (-p[2].clamp(-6.0, 6.0).exp() * log).exp()
            }
            Self::TwoLognormals => {
                let share = share(p[4]);
                (1.0 - share) * normal_tail((log_ms - p[0]) / deviation(p[1])) + share * normal_tail((log_ms - p[2]) / deviation(p[3]))
            }
        }
    }

    /// Of the longer of two lognormals: how much of it takes longer than `exp(log_ms)`, and which share of all it is.
    pub fn second(self, p: &[f64], log_ms: f64) -> Option<(f64, f64)> {
        if self != Self::TwoLognormals {
            return None;
        }
        let share = share(p[4]);
        let (mean, spread, share) = if p[2] >= p[0] { (p[2], p[3], share) } else { (p[0], p[1], 1.0 - share) };
        Some((normal_tail((log_ms - mean) / deviation(spread)), share))
    }
}

fn share(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// A deviation of the logarithm: at least half a bucket's width, at most what spans a factor of a thousand.
fn deviation(log: f64) -> f64 {
    log.clamp(-3.0, 2.0).exp()
}

fn normal_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert!((Shape::Lognormal.survival(&[6.0, 0.0], 7.0) - 0.158_655).abs() < 1e-6);
        // Lomax with scale 500 and index 2, at 500: a quarter.
        assert!((Shape::Burr.survival(&[500_f64.ln(), 0.0, 2_f64.ln()], 500_f64.ln()) - 0.25).abs() < 1e-12);
        let two = [5.0, -1.0, 8.0, -1.0, 0.0];
        assert!((Shape::TwoLognormals.survival(&two, 6.5) - 0.5).abs() < 1e-4);
        assert_eq!(Shape::TwoLognormals.second(&[8.0, -1.0, 5.0, -1.0, 0.0], 8.0), Some((0.5, 0.5)));
        assert_eq!(Shape::Burr.second(&[0.0; 3], 1.0), None);
    }
}
