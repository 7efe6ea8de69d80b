//! Where servers' and watchdogs' limits are set, and what to keep in mind when one is changed: one row per setting.

/// Product, setting, where it is set, what to do.
type Row = (&'static str, &'static str, &'static str, &'static str);

const FUNCTION: &str = "the function's `environment:` in stack.yml";
const GATEWAY: &str = "the gateway's environment (`gateway.upstreamTimeout` of the Helm chart)";
const CELERY: &str = "the worker's command line, `task_time_limit`/`task_soft_time_limit` of the configuration, or `@app.task(time_limit=…, soft_time_limit=…)`";

const ROWS: &[Row] = &[
    (
        "knative",
        "timeoutSeconds",
        "`spec.template.spec.timeoutSeconds` of the Service (cluster-wide: `config-defaults`)",
        "Raise `timeoutSeconds` only if requests are meant to take this long; `max-revision-timeout-seconds` (600) is the most that is allowed, and the activator's own time counts as well.",
    ),
    (
        "knative",
        "responseStartTimeoutSeconds",
        "`spec.template.spec.responseStartTimeoutSeconds` of the Service",
        "Let the function begin its answer sooner, or raise the limit; it may not exceed `timeoutSeconds`.",
    ),
    (
        "knative",
        "idleTimeoutSeconds",
        "`spec.template.spec.idleTimeoutSeconds` of the Service",
        "Let the function write something more often than this, or raise the limit.",
    ),
    (
        "openwhisk",
        "timeout",
        "`limits.timeout` of the action (`wsk action update NAME --timeout MILLISECONDS`)",
        "Raise the action's timeout only if it is meant to take this long; the deployment sets the longest that is allowed.",
    ),
    (
        "heroku",
        "(fixed) request timeout",
        "not configurable",
        "Answer within 30 s: end slow work earlier by a timeout of the application server or rack-timeout below it, move it to a worker dyno, or send a first byte in time.",
    ),
    ("heroku", "(fixed) idle connection", "not configurable", "Send something at least every 55 s once the answer has begun."),
    (
        "heroku",
        "(fixed) backend connection timeout",
        "not configurable",
        "The dyno did not accept the connection: it has too few workers or threads, or is overloaded.",
    ),
    (
        "heroku",
        "(fixed) app boot timeout",
        "not configurable",
        "Make the application listen sooner; requests wait 75 s for a dyno that starts.",
    ),
    (
        "heroku",
        "boot timeout",
        "60 s; Heroku raises it to at most 180 s on request",
        "Make the application listen on `$PORT` sooner: load lazily, and run migrations in the release phase.",
    ),
    (
        "heroku",
        "(fixed) exit timeout",
        "not configurable",
        "End within 30 s of SIGTERM: keep the server's graceful timeout and jobs' steps below it.",
    ),
    (
        "cloud_run",
        "--timeout",
        "`gcloud run services update --timeout`, `spec.template.spec.timeoutSeconds`",
        "Raise it (default 300 s, at most 3600 s) only if requests are meant to take this long. The container goes on after the 504: stop work that nobody waits for.",
    ),
    (
        "cloud_functions",
        "timeout",
        "`gcloud functions deploy --timeout`",
        "Raise it (default 60 s; at most 540 s, for HTTP functions of the second generation 3600 s) only if the work is meant to take this long.",
    ),
    (
        "azure_functions",
        "functionTimeout",
        "`functionTimeout` in host.json",
        "Raise it (Consumption: default 5 min, at most 10 min; other plans: default 30 min) only if the work is meant to take this long. HTTP callers are cut off at 230 s whatever it says.",
    ),
    (
        "vercel",
        "maxDuration",
        "`functions.*.maxDuration` in vercel.json, or `export const maxDuration` in the function",
        "Raise it (plan and fluid compute set the maximum) only if the work is meant to take this long; else stream, or move it to a background job.",
    ),
    (
        "cloudflare",
        "limits.cpu_ms",
        "`limits.cpu_ms` in the Wrangler configuration",
        "It counts processor time; waiting is free. Find the loop or the parsing that takes it; at most 300000 on paid plans.",
    ),
    (
        "cloudflare",
        "(fixed) wall time",
        "not configurable",
        "Split the work of cron triggers and queue consumers into parts below 15 minutes.",
    ),
    (
        "cloudflare",
        "proxy_read_timeout",
        "the zone's `proxy_read_timeout` or a cache rule (Enterprise); else fixed",
        "Have the origin answer sooner, or answer at once and let the caller ask again.",
    ),
    (
        "api_gateway",
        "TimeoutInMillis",
        "the integration: `TimeoutInMillis` in CloudFormation and SAM, `timeout` in serverless.yml, `aws apigateway update-integration`",
        "REST APIs allow 29 s unless the quota was raised (Regional and private ones), HTTP APIs 30 s at most. Keep the function's `Timeout` below it, answer at once and do the work asynchronously, or use a function URL.",
    ),
    (
        "alb",
        "idle_timeout.timeout_seconds",
        "the load balancer's attribute `idle_timeout.timeout_seconds` (`aws elbv2 modify-load-balancer-attributes`)",
        "Raise it (at most 4000 s) above the slowest answer, or let the target send something before; the limit of whatever runs the request must be shorter than it.",
    ),
    (
        "alb",
        "(fixed) target connection",
        "not configurable",
        "The target did not accept the connection: look at its security group, its health checks and its backlog.",
    ),
    (
        "cloudfront",
        "OriginReadTimeout",
        "the origin's settings in the distribution: response timeout (`OriginReadTimeout`)",
        "Raise it (at most 120 s without a quota) above the slowest answer of the origin, whose own limits must be shorter. GET and HEAD are tried up to three times, each with this limit.",
    ),
    (
        "cloudfront",
        "ConnectionTimeout",
        "the origin's settings in the distribution: `ConnectionTimeout` and `ConnectionAttempts`",
        "The origin did not accept the connection: look at its firewall and its load. Fewer attempts make the failure come sooner.",
    ),
    (
        "of_watchdog",
        "exec_timeout",
        FUNCTION,
        "Raise `exec_timeout` only if the function is meant to take this long; `write_timeout` and `read_timeout` must be longer than it, and the gateway's `upstream_timeout` longer still.",
    ),
    (
        "of_watchdog",
        "write_timeout",
        FUNCTION,
        "Make `write_timeout` longer than `exec_timeout`: as it is, answers are made that cannot be sent. It is also how long a stop waits for running requests, so keep the pod's `terminationGracePeriodSeconds` above it.",
    ),
    (
        "of_watchdog",
        "X-Timeout",
        "the `X-Timeout` header that the caller sends",
        "Have the caller ask for more time in `X-Timeout`, or make the function faster: `exec_timeout` is not what ended it.",
    ),
    (
        "classic_watchdog",
        "exec_timeout",
        FUNCTION,
        "Raise `exec_timeout` only if the function is meant to take this long; `write_timeout` must be longer than it. Replace child processes by `exec`: only the process itself is killed at the limit.",
    ),
    (
        "classic_watchdog",
        "write_timeout",
        FUNCTION,
        "Make `write_timeout` longer than `exec_timeout`: it is also how long a stop waits for running requests.",
    ),
    (
        "openfaas_gateway",
        "upstream_timeout",
        GATEWAY,
        "Make `upstream_timeout` longer than the function's `exec_timeout`, and `read_timeout` and `write_timeout` of the gateway longer than it; or call the function asynchronously.",
    ),
    (
        "orchestrator",
        "termination grace period",
        "`terminationGracePeriodSeconds` of the pod",
        "Make the grace period longer than `healthcheck_interval` and `write_timeout` together: until then the watchdog drains.",
    ),
    (
        "uwsgi",
        "harakiri",
        "uWSGI's command line or ini file (`harakiri = …`)",
        "Raise `harakiri` only if requests are meant to take this long; move long work to a spooler or queue, and keep the proxy's timeout above it.",
    ),
    (
        "unicorn",
        "timeout",
        "`config/unicorn.rb`",
        "`timeout` kills the worker and all that it holds: set rack-timeout's `service_timeout` below it, which ends the request and shows where it stood. Raise it only if requests are meant to take this long.",
    ),
    (
        "php_fpm",
        "request_terminate_timeout",
        "the pool's configuration (`www.conf`)",
        "Raise `request_terminate_timeout` only if scripts are meant to take this long, and keep `fastcgi_read_timeout` above it. With `request_slowlog_timeout` below it the slow log shows where they stand.",
    ),
    (
        "php",
        "max_execution_time",
        "`php.ini`, the pool's `php_admin_value[max_execution_time]`, or `set_time_limit()`",
        "It counts processor time: look for the loop or computation at the place that PHP names before raising it.",
    ),
    (
        "celery",
        "--soft-time-limit",
        CELERY,
        "Raise it only if the task is meant to take this long; catch `SoftTimeLimitExceeded` to clean up, and keep the hard limit above it.",
    ),
    (
        "celery",
        "--time-limit",
        CELERY,
        "Give the task a soft limit below this one and let it end by that: the hard limit kills the process, and nothing is cleaned up.",
    ),
    (
        "rack_timeout",
        "service_timeout",
        "`RACK_TIMEOUT_SERVICE_TIMEOUT`, or `Rack::Timeout` where the middleware is set up",
        "Raise it only if requests are meant to take this long, and keep the router's limit above it (Heroku: 30 s).",
    ),
    (
        "rack_timeout",
        "wait_timeout",
        "`RACK_TIMEOUT_WAIT_TIMEOUT`, or `Rack::Timeout` where the middleware is set up",
        "The request waited for a free worker: add processes or threads, or make what occupies them faster.",
    ),
    (
        "uvicorn",
        "--timeout-graceful-shutdown",
        "uvicorn's command line",
        "Make it longer than the longest request, and the orchestrator's own grace period longer still.",
    ),
];

/// Where that setting is set, and what to do; `None` for one that is not in the table.
pub fn advice(product: &str, setting: &str) -> Option<(&'static str, &'static str)> {
    ROWS.iter().find(|row| (row.0, row.1) == (product, setting)).map(|row| (row.2, row.3))
}
