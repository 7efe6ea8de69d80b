//! Stacks that a watchdog or server sent: what every thread was doing, innermost call first.

use domain::{Evidence, Frame, ThreadStack};

use crate::moment::clock;
use crate::text::Text;

/// Threads shown per incident.
const THREADS_MAX: usize = 24;
/// Frames shown per thread.
const FRAMES_MAX: usize = 60;

/// One thread at one moment.
#[derive(Debug)]
pub struct StackView {
    /// `MainThread, serving the request, at 12:04:31.970 UTC`.
    pub title: Text,
    /// Whether it serves the request; then it stands open.
    pub serving: bool,
    /// Its frames, innermost first.
    pub frames: Vec<FrameView>,
    /// Frames that were left out.
    pub more: usize,
}

/// One frame.
#[derive(Debug)]
pub struct FrameView {
    /// The function.
    pub function: Text,
    /// `payments.py:88`.
    pub place: Text,
}

/// The stacks in `evidence`, those of the serving threads first.
#[must_use]
pub fn views(evidence: &[Evidence]) -> Vec<StackView> {
    let mut views: Vec<_> =
        evidence.iter().flat_map(|evidence| evidence.claim.stacks.iter().map(move |stack| view(evidence, stack))).collect();
    views.sort_by_key(|view| !view.serving);
    views.truncate(THREADS_MAX);
    views
}

fn view(evidence: &Evidence, stack: &ThreadStack) -> StackView {
    let mut parts = vec![stack.name.as_deref().unwrap_or("a thread without a name").to_owned()];
    parts.extend(stack.serving.then(|| "serving the request".to_owned()));
    parts.extend(stack.blocked.filter(|blocked| *blocked).map(|_| "blocked".to_owned()));
    parts.extend(evidence.claim.at().map(|at| format!("at {} UTC", clock(at))));
    parts.push(format!("from {}", evidence.source));
    StackView {
        title: Text::line(&parts.join(", "), 300),
        serving: stack.serving,
        frames: stack.frames.iter().rev().take(FRAMES_MAX).map(frame_view).collect(),
        more: stack.frames.len().saturating_sub(FRAMES_MAX),
    }
}

fn frame_view(frame: &Frame) -> FrameView {
    let place = match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, Some(line)) => format!("line {line}"),
        (None, None) => String::new(),
    };
    FrameView { function: Text::name(&frame.function), place: Text::name(&place) }
}
