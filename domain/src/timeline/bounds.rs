//! As much of a timeline as can be drawn: requests may have thousands of log lines.

use super::{LimitMark, MarkKind, Timeline};

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
        let mut kept = self.clone();
        let mut left_out = LeftOut {
            lanes: kept.lanes.len().saturating_sub(bounds.lanes_max),
            limits: kept.limits.len().saturating_sub(bounds.limits_max),
            items: 0,
        };
        for lane in &mut kept.lanes {
            let beyond = |count: usize| count.saturating_sub(bounds.per_lane_max);
            left_out.items += beyond(lane.segments.len()) + beyond(lane.marks.len());
            lane.segments.truncate(bounds.per_lane_max);
            // Log lines are the many; what fired and the stacks are never left out for their sake.
            lane.marks.sort_by_key(|mark| (mark.kind == MarkKind::Line, mark.at));
            lane.marks.truncate(bounds.per_lane_max);
            // What is drawn last lies on top.
            lane.marks.sort_by_key(|mark| (mark.kind == MarkKind::Fired, mark.kind == MarkKind::Stack, mark.at));
        }
        kept.lanes.truncate(bounds.lanes_max);
        kept.limits.sort_by_key(|limit| limit.mark != LimitMark::Fired);
        kept.limits.truncate(bounds.limits_max);
        (kept, left_out)
    }
}
