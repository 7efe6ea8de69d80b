//! The description of the API, by hand: small, and true because a test holds it against the router.

use axum::Json;
use axum::extract::State;
use domain::{IncidentState, Layer, Outcome};
use serde_json::{Value, json};
use store::ProblemState;

use crate::App;
use crate::query::{LIMIT_DEFAULT, LIMIT_MAX};

/// `GET /api/overrun/openapi.json`
pub async fn show(State(app): State<App>) -> Json<Value> {
    Json(description(app.links.base()))
}

fn description(base: &str) -> Value {
    let mut description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Overrun",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Requests that overran, with the limit that fired and why. Fields may be added; those there stay.",
        },
        "servers": [{ "url": if base.is_empty() { "/" } else { base } }],
        "paths": {
            "/api/overrun/v1/incidents": { "get": {
                "summary": "Incidents, newest first",
                "parameters": parameters(),
                "responses": responses(&json!({
                    "type": "object",
                    "required": ["incidents", "next"],
                    "properties": {
                        "incidents": { "type": "array", "items": { "$ref": "#/components/schemas/Incident" } },
                        "next": { "type": ["string", "null"], "description": "give it as `before` for the page after this one" },
                    },
                }), &["400", "503"]),
            } },
            "/api/overrun/v1/incidents/{id}": { "get": {
                "summary": "One incident",
                "parameters": [in_path("id", "24 hex digits")],
                "responses": responses(&json!({ "$ref": "#/components/schemas/Incident" }), &["404", "503"]),
            } },
            "/api/overrun/v1/incidents/{id}/evidence": { "get": {
                "summary": "What the sources said about it",
                "parameters": [in_path("id", "24 hex digits")],
                "responses": responses(&json!({ "$ref": "#/components/schemas/EvidenceList" }), &["404", "503"]),
            } },
            "/api/overrun/v1/requests/{request_id}": { "get": {
                "summary": "Everything known about one request",
                "parameters": [
                    in_path("request_id", "as its platform or caller gave it"),
                    in_query("stack", &json!({ "type": "string" }), "without it, the stack that heard of the request last"),
                ],
                "responses": responses(&json!({ "allOf": [
                    { "$ref": "#/components/schemas/EvidenceList" },
                    {
                        "type": "object",
                        "required": ["request_id", "stack", "attempts", "incidents"],
                        "properties": {
                            "request_id": { "type": "string" },
                            "stack": { "type": "string" },
                            "attempts": { "type": ["integer", "null"] },
                            "incidents": { "type": "array", "items": { "$ref": "#/components/schemas/Incident" } },
                        },
                    },
                ] }), &["400", "404", "503"]),
            } },
        },
        "components": { "schemas": schemas() },
    });
    let more = [paths_of_problems(), paths_of_deliveries(), paths_of_silences()];
    if let Some(paths) = description["paths"].as_object_mut() {
        paths.extend(more.into_iter().filter_map(|more| more.as_object().cloned()).flatten());
    }
    description
}

fn paths_of_problems() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "/api/overrun/v1/problems": { "get": {
            "summary": "Problems: incidents of the same function, layer, cause and operation; those seen last first",
            "parameters": [
                in_query("state", &text, "some of open, resolved, regressed, with commas between"),
                in_query("stack", &text, "of this stack"),
                in_query("function", &text, "of this function"),
                in_query("before", &text, "the `next` of the page before"),
                limit(),
            ],
            "responses": responses(&json!({
                "type": "object",
                "required": ["problems", "next"],
                "properties": {
                    "problems": { "type": "array", "items": { "$ref": "#/components/schemas/Problem" } },
                    "next": { "type": ["string", "null"], "description": "give it as `before` for the page after this one" },
                },
            }), &["400", "503"]),
        } },
        "/api/overrun/v1/problems/{id}": { "get": {
            "summary": "One problem, with the releases that it was seen in",
            "parameters": [in_path("id", "16 hex digits")],
            "responses": responses(&json!({ "$ref": "#/components/schemas/Problem" }), &["404", "503"]),
        } },
        "/api/overrun/v1/problems/{id}/resolve": { "post": {
            "summary": "Say that a problem is resolved; if an incident happens after that, it is `regressed`",
            "parameters": [in_path("id", "16 hex digits")],
            "responses": responses(&json!({ "$ref": "#/components/schemas/Problem" }), &["403", "404", "503"]),
        } },
        "/api/overrun/v1/problems/{id}/reopen": { "post": {
            "summary": "Take that back",
            "parameters": [in_path("id", "16 hex digits")],
            "responses": responses(&json!({ "$ref": "#/components/schemas/Problem" }), &["403", "404", "503"]),
        } },
    })
}

fn paths_of_deliveries() -> Value {
    json!({
        "/api/overrun/v1/problems/{id}/retry": {
            "get": {
                "summary": "What a retry action would do with the requests of a problem",
                "parameters": retry_parameters(),
                "responses": responses(&json!({ "$ref": "#/components/schemas/RetryPlan" }), &["400", "404", "503"]),
            },
            "post": {
                "summary": "Ask for it: each is decided about once more when its turn comes",
                "parameters": retry_parameters(),
                "responses": responses(&json!({ "$ref": "#/components/schemas/RetryPlan" }), &["400", "403", "404", "503"]),
            },
        },
        "/api/overrun/v1/deliveries": { "get": {
            "summary": "The latest deliveries, or those that were given up",
            "parameters": [in_query("state", &words(&["parked"]), "only those that were given up")],
            "responses": responses(&json!({ "type": "object", "properties": {
                "deliveries": { "type": "array", "items": { "type": "object" } },
            } }), &["400", "503"]),
        } },
        "/api/overrun/v1/deliveries/replay": { "post": {
            "summary": "Send again what was given up, under the identity that it had",
            "parameters": [
                in_query("id", &json!({ "type": "string" }), "this delivery"),
                in_query("action", &json!({ "type": "string" }), "those to this action"),
                in_query("since", &json!({ "type": "string" }), "those of rules that matched since: RFC 3339, or milliseconds since 1970"),
            ],
            "responses": responses(&json!({ "type": "object", "properties": { "replayed": { "type": "integer" } } }), &["400", "403", "503"]),
        } },
        "/api/overrun/v1/errors": { "get": {
            "summary": "The errors of a stack in order, as CloudEvents",
            "parameters": error_parameters(),
            "responses": responses(&json!({ "type": "object", "required": ["errors", "last"], "properties": {
                "errors": { "type": "array", "items": { "type": "object" } },
                "last": { "type": "integer", "description": "give it as `after` for those after these" },
            } }), &["400", "503"]),
        } },
        "/api/overrun/v1/errors/stream": { "get": {
            "summary": "The same as server-sent events, for as long as the connection lasts; continues after `Last-Event-ID`",
            "parameters": error_parameters(),
            "responses": responses(&json!({ "type": "string" }), &["400", "503"]),
        } },
    })
}

fn paths_of_silences() -> Value {
    json!({
        "/api/overrun/v1/silences": {
            "get": {
                "summary": "Silences that hold now, newest first",
                "responses": responses(&json!({
                    "type": "object",
                    "required": ["silences"],
                    "properties": { "silences": { "type": "array", "items": { "$ref": "#/components/schemas/Silence" } } },
                }), &["503"]),
            },
            "post": {
                "summary": "Keep incidents from being told for a while; they are shown all the same",
                "requestBody": { "required": true, "content": { "application/json": { "schema": silence_asked() } } },
                "responses": responses(&json!({ "$ref": "#/components/schemas/Silence" }), &["400", "403", "503"]),
            },
        },
        "/api/overrun/v1/silences/{id}": {
            "get": {
                "summary": "One silence, also one that has ended",
                "parameters": [in_path("id", "a number")],
                "responses": responses(&json!({ "$ref": "#/components/schemas/Silence" }), &["404", "503"]),
            },
            "delete": {
                "summary": "End a silence now",
                "parameters": [in_path("id", "a number")],
                "responses": responses(&json!({ "$ref": "#/components/schemas/Silence" }), &["403", "404", "503"]),
            },
        },
    })
}

fn silence_asked() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "`matchers`, `condition` or both; one of `lasts`, `ends_at`, `until_resolved`",
        "properties": {
            "matchers": {
                "type": "object",
                "additionalProperties": { "type": "string" },
                "description": "fields of the incident, as conditions name them, and the values that they must have",
            },
            "condition": { "type": ["string", "null"], "description": "a CEL condition over `incident` that must hold as well" },
            "comment": { "type": "string" },
            "created_by": { "type": ["string", "null"] },
            "lasts": { "type": ["string", "null"], "description": "how long, such as 4h" },
            "ends_at": { "type": ["string", "null"], "format": "date-time" },
            "until_resolved": { "type": "boolean", "description": "until the problem that `matchers` name is resolved" },
        },
    })
}

fn parameters() -> Vec<Value> {
    let time = json!({ "oneOf": [{ "type": "string", "format": "date-time" }, { "type": "integer" }] });
    let text = json!({ "type": "string" });
    vec![
        in_query("from", &time, "not before: RFC 3339, or milliseconds since 1970"),
        in_query("to", &time, "before: RFC 3339, or milliseconds since 1970"),
        in_query("stack", &text, "of this stack"),
        in_query("function", &text, "of this function"),
        in_query("layer", &words(&Layer::ALL.map(Layer::as_str)), "whose limit fired"),
        in_query("outcome", &words(&Outcome::ALL.map(Outcome::as_str)), "how it ended"),
        in_query("state", &words(&IncidentState::ALL.map(IncidentState::as_str)), "how far it may be believed"),
        in_query("problem", &text, "of this problem"),
        in_query("release", &text, "of this release, or version where no release is named"),
        in_query("q", &text, "a request ID, a trace ID, or words of the verdict"),
        in_query("before", &text, "the `next` of the page before"),
        limit(),
    ]
}

fn error_parameters() -> Vec<Value> {
    vec![
        in_query("stack", &json!({ "type": "string", "default": "default" }), "whose errors"),
        in_query("after", &json!({ "type": "integer", "minimum": 0 }), "errors after that number"),
        limit(),
    ]
}

fn retry_parameters() -> Vec<Value> {
    let time = json!({ "oneOf": [{ "type": "string", "format": "date-time" }, { "type": "integer" }] });
    vec![
        in_path("id", "16 hex digits"),
        in_query("action", &json!({ "type": "string" }), "the retry action; without it, the first by name"),
        in_query("since", &time, "incidents since: RFC 3339, or milliseconds since 1970; without it, of the last 24 hours"),
    ]
}

fn limit() -> Value {
    in_query("limit", &json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT }), "how many")
}

fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn in_query(name: &str, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": schema, "description": description })
}

fn in_path(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" }, "description": description })
}

fn responses(schema: &Value, failures: &[&str]) -> Value {
    let mut responses = json!({ "200": { "description": "found", "content": { "application/json": { "schema": schema } } } });
    for status in failures {
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
        responses[*status] = json!({ "description": "why there is no answer", "content": content });
    }
    responses
}

fn schemas() -> Value {
    let text = json!({ "type": ["string", "null"] });
    let time = json!({ "type": ["string", "null"], "format": "date-time" });
    let number = json!({ "type": ["number", "null"] });
    json!({
        "Error": { "type": "object", "required": ["error"], "properties": {
            "error": { "type": "string" }, "parameter": { "type": "string" }, "expected": { "type": "string" }, "found": { "type": "string" },
        } },
        "EvidenceList": { "type": "object", "required": ["evidence", "evidence_left_out"], "properties": {
            "evidence": { "type": "array", "items": { "type": "object" } }, "evidence_left_out": { "type": "integer" },
        } },
        "RetryPlan": { "type": "object", "required": ["action", "since", "asked", "forecasts"], "properties": {
            "action": { "type": "string" }, "since": { "type": "string", "format": "date-time" },
            "asked": { "type": "integer", "description": "how many were asked for; 0 for a plan" },
            "forecasts": { "type": "array", "items": { "type": "object", "properties": {
                "incident_id": { "type": "string" }, "request_id": text, "outlook": words(&["runs", "waits", "refused"]),
                "says": { "type": "string" },
            } } },
        } },
        "Problem": {
            "type": "object",
            "required": ["id", "stack", "function", "layer", "cause", "operation", "summary", "state", "incidents", "first_at", "last_at",
                "latest_incident", "resolved_at", "resolved_by", "regressed_at"],
            "properties": {
                "id": { "type": "string" }, "stack": { "type": "string" }, "function": text, "layer": text, "product": text,
                "cause": { "type": "string" }, "operation": text,
                "summary": { "type": "string", "description": "the verdict of the latest incident" },
                "state": words(&ProblemState::ALL.map(ProblemState::as_str)),
                "incidents": { "type": "integer" }, "first_at": time, "last_at": time, "latest_incident": { "type": "string" },
                "resolved_at": time, "resolved_by": text, "regressed_at": time, "releases": { "type": "array", "items": { "type": "object" } },
            },
        },
        "Silence": {
            "type": "object",
            "required": ["id", "matchers", "condition", "comment", "created_by", "created_at", "ends_at", "holds"],
            "properties": {
                "id": { "type": "integer" }, "matchers": { "type": "object", "additionalProperties": { "type": "string" } }, "condition": text,
                "comment": { "type": "string" }, "created_by": { "type": "string" }, "created_at": time,
                "ends_at": { "type": ["string", "null"], "format": "date-time", "description": "null: when the problem is resolved" },
                "holds": { "type": "boolean" },
            },
        },
        "Incident": {
            "type": "object",
            "required": ["id", "problem", "request_id", "attempt", "stack", "outcome", "state", "summary", "diagnosis", "timeline",
                "first_seen_at", "changed_at"],
            "properties": {
                "id": { "type": "string" }, "problem": { "type": "string" }, "subject": { "type": "string" },
                "request_id": text, "attempt": { "type": "integer", "minimum": 1 }, "trace_id": text, "stack": { "type": "string" },
                "function": text, "version": text, "release": text, "platform": text, "instance": text, "pid": { "type": ["integer", "null"] },
                "outcome": words(&Outcome::ALL.map(Outcome::as_str)),
                "state": words(&IncidentState::ALL.map(IncidentState::as_str)),
                "started_at": time, "ended_at": time, "elapsed_ms": number,
                "summary": { "type": "string", "description": "the verdict in one sentence" },
                "diagnosis": { "type": "object" }, "timeline": { "type": "object" },
                "first_seen_at": time, "changed_at": time,
                "silences": {
                    "type": "array",
                    "items": { "$ref": "#/components/schemas/Silence" },
                    "description": "those that hold it, or held it when it came; where one incident is asked for",
                },
                "retries": { "type": "array", "items": { "type": "object" }, "description": "of one incident: what became of running its request again" },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let description = description("/overrun");
        assert_eq!(description["servers"][0]["url"], "/overrun");
        let text = description.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap_or_default();
            assert!(description["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
