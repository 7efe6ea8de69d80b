//! As much of a timeline as can be drawn: requests may have thousands of log lines.

use super::{Lane, LimitMark, MarkKind, Timeline};

/// How much a drawing has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lanes, the outermost first.
    pub lanes_max: usize,
    /// Stretches, and moments, of each lane.
    pub per_lane_max: usize,
    /// Limits, those that fired first.
    pub limits_max: usize,
}

/// How much there was beyond the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Lanes.
    pub lanes: usize,
    /// Stretches and moments.
    pub items: usize,
    /// Limits.
    pub limits: usize,
}

impl LeftOut {
    /// `2 more lanes, 1 more limits`; `None` if it is all there.
    #[must_use]
    pub fn in_words(self) -> Option<String> {
        let kinds = [(self.lanes, "lanes"), (self.items, "stretches and moments"), (self.limits, "limits")];
        let parts: Vec<_> = kinds.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} more {what}")).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

impl Timeline {
    /// The same with no more in it than `bounds`, and what was left out. What is to be drawn last comes last in its lane.
    #[must_use]
    pub fn bounded(&self, bounds: Bounds) -> (Self, LeftOut) {
        let beyond = |count: usize, max: usize| count.saturating_sub(max);
        let left_out = LeftOut {
            lanes: beyond(self.lanes.len(), bounds.lanes_max),
            items: self.lanes.iter().flat_map(|lane| [lane.segments.len(), lane.marks.len()]).map(|n| beyond(n, bounds.per_lane_max)).sum(),
            limits: beyond(self.limits.len(), bounds.limits_max),
        };
        let mut limits: Vec<_> = self.limits.iter().collect();
        limits.sort_by_key(|limit| limit.mark != LimitMark::Fired);
        let kept = Self {
            lanes: self.lanes.iter().take(bounds.lanes_max).map(|lane| lane.bounded(bounds.per_lane_max)).collect(),
            limits: limits.into_iter().take(bounds.limits_max).cloned().collect(),
            clocks: self.clocks.clone(),
            ..*self
        };
        (kept, left_out)
    }
}

impl Lane {
    fn bounded(&self, per_lane_max: usize) -> Self {
        let mut marks: Vec<_> = self.marks.iter().collect();
        // Log lines are the many; what fired and the stacks are never left out for their sake.
        marks.sort_by_key(|mark| (mark.kind == MarkKind::Line, mark.at));
        marks.truncate(per_lane_max);
        // What is drawn last lies on top.
        marks.sort_by_key(|mark| (mark.kind == MarkKind::Fired, mark.kind == MarkKind::Stack, mark.at));
        Self {
            layer: self.layer,
            label: self.label.clone(),
            segments: self.segments.iter().take(per_lane_max).cloned().collect(),
            marks: marks.into_iter().cloned().collect(),
        }
    }
}
