//! Configuration files of every kind that is known, alone and as one stack.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// One name for each reader.
const NAMES: [&str; 17] = [
    "Procfile",
    "Caddyfile",
    "Dockerfile",
    "gunicorn.conf.py",
    "unicorn.rb",
    "uwsgi.ini",
    "haproxy.cfg",
    "default.vcl",
    "nginx.conf",
    "apache2.conf",
    "php-fpm.conf",
    "template.yaml",
    "template.json",
    "vercel.json",
    "host.json",
    "function.json",
    "fly.toml",
];

fuzz_target!(|text: &str| {
    for name in NAMES {
        let _ = collector::limits::read(name, text);
    }
    let files = NAMES.map(|name| collector::lint::File { name, text });
    let report = collector::lint::lint(&files, &NAMES);
    let _ = collector::lint::render::text(&report);
    let _ = collector::lint::render::sarif(&report);
});
