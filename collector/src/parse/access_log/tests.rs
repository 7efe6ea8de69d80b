//! Access lines.
