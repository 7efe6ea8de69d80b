//! Configuration files of every kind that is known.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for name in ["Procfile", "gunicorn.conf.py"] {
        let _ = collector::limits::read(name, text);
    }
});
