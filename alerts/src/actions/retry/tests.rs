//! What stands in the rules file, and what answers mean.

use crate::rules::Rules;

fn read(action: &str) -> Result<String, String> {
    let file = format!("[[rule]]\nname = 'r'\nactions = ['again']\n[[action]]\nname = 'again'\nkind = 'retry'\n{action}");
    Rules::parse(&file, "rules.toml").map(|rules| rules.action("again").expect("named").target()).map_err(|error| error.to_string())
}

#[test]
fn targets_are_named_without_their_secrets() {
    let target = |target: &str| read(&format!("target = {{ {target} }}"));
    assert_eq!(target("http = { url = 'https://again.example.com/key' }").as_deref(), Ok("https://again.example.com"));
    let openfaas = "openfaas = { gateway_url = 'https://faas.example.com', function = 'retry', callback_url = 'http://overrun:4318' }";
    assert_eq!(target(openfaas).as_deref(), Ok("https://faas.example.com"));
    let openwhisk = "openwhisk = { host_url = 'https://ow.example.com', function = 'pkg/retry', api_key = 'a:b' }";
    assert_eq!(target(openwhisk).as_deref(), Ok("https://ow.example.com"));
}

#[cfg(feature = "aws")]
#[test]
fn a_lambda_is_named_with_its_version() {
    let lambda = |more: &str| read(&format!("target = {{ aws_lambda = {{ function = 'retry'{more} }} }}"));
    assert_eq!(lambda("").as_deref(), Ok("AWS Lambda retry"));
    assert_eq!(lambda(", qualifier = 'live', region = 'eu-west-1'").as_deref(), Ok("AWS Lambda retry:live"));
}

#[test]
fn what_cannot_be_used_is_said() {
    let wrong = |action: &str| read(action).expect_err("wrong");
    insta::assert_snapshot!(wrong("enabled = true"), @r##"rules.toml:4: expected `target`, which is missing"##);
    insta::assert_snapshot!(wrong("target = { htp = { url = 'https://a.example' } }"), @r##"rules.toml:7: unknown word `htp`, expected one of `aws_lambda`, `http`, `openfaas`, `openwhisk` (did you mean `http`?)"##);
    insta::assert_snapshot!(wrong("target = { http = { url = 'http://127.0.0.1/' } }"), @r##"rules.toml:7: `url`: expected a public address, not `127.0.0.1` (loopback); `allow_private = true` in the action permits it"##);
    insta::assert_snapshot!(wrong("target = { http = { url = 'https://a.example', authorization = \"a\\nb\" } }"), @r##"rules.toml:7: `authorization`: expected the value of an `Authorization` header, such as `Bearer …`"##);
    insta::assert_snapshot!(wrong("target = { openfaas = { gateway_url = 'https://a.example', function = '../x' } }"), @r##"rules.toml:7: `function`: expected the name of a function, found "../x""##);
    insta::assert_snapshot!(wrong("target = { openwhisk = { host_url = 'https://a.example', function = 'x' } }"), @r##"rules.toml:7: `host_url`: expected `api_key` or `api_key_file`, as `wsk property get --auth` prints it: `uuid:key`"##);
    insta::assert_snapshot!(wrong("target = { http = { url = 'https://a.example' } }\nguards = { per_hour_max = 0 }"), @r##"rules.toml:8: `per_hour_max`: expected 1 to 1000, found 0"##);
    insta::assert_snapshot!(wrong("target = { http = { url = 'https://a.example' } }\nguards = { grase = '1s' }"), @r##"rules.toml:8: unknown key `grase`, expected one of `grace`, `run_max`, `platform_retries`, `per_request_max`, `per_problem_max`, `per_hour_max`, `age_max`, `systemic_incidents`, `systemic_window`, `failed_max` (did you mean `grace`?)"##);
    insta::assert_snapshot!(wrong("target = { http = { url = 'https://a.example' } }\ntimeout = '10m'"), @r##"rules.toml:8: `timeout`: expected 1 s to 55 s, found "10m""##);
}
