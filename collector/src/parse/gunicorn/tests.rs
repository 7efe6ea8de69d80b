//! gunicorn's lines, of every version that words them differently.
