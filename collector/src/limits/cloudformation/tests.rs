use super::*;
use crate::limits::tree::{json, yaml};

fn parts(text: &str) -> Vec<Part> {
    let node = if text.starts_with('{') { json(text).expect("it is JSON") } else { yaml(text).expect("it is YAML").remove(0) };
    assert!(is_one(&node));
    read("template.yaml", &node)
}

/// Name, what is stated, what is left open, and how many lie behind.
fn told(parts: &[Part]) -> Vec<String> {
    let one = |part: &Part| {
        let stated = part.limits.iter().map(|limit| format!("{} {}", limit.setting, limit.value_ms.expect("read")));
        let open = part.unknown.iter().map(|limit| format!("{} ?", limit.setting));
        format!("{} [{}] → {}", part.name, stated.chain(open).collect::<Vec<_>>().join(", "), part.behind.len())
    };
    parts.iter().map(one).collect()
}

#[test]
fn sams_functions_globals_parameters_and_events_are_read() {
    let text = "Transform: AWS::Serverless-2016-10-31\nParameters:\n  Slow: {Type: Number, Default: 60}\n  Unset: {Type: Number}\nGlobals:\n  Function:\n    Timeout: 20\nResources:\n  Get:\n    Type: AWS::Serverless::Function\n    Properties:\n      Timeout: !Ref Slow\n      FunctionName: !Sub '${AWS::StackName}-get'\n      Events:\n        Api:\n          Type: Api\n          Properties: {Path: /, Method: get}\n        Http:\n          Type: HttpApi\n          Properties: {TimeoutInMillis: 10000}\n  Plain:\n    Type: AWS::Serverless::Function\n    Properties: {Handler: h}\n  Open:\n    Type: AWS::Serverless::Function\n    Properties:\n      Timeout: !If [IsProd, 60, 5]\n  Unknown:\n    Type: AWS::Lambda::Function\n    Properties: {Timeout: !Ref Unset}\n";
    let parts = parts(text);
    assert_eq!(
        told(&parts),
        [
            "Get [Timeout 60 s] → 0",
            "API Gateway (REST) of Get's event Api [] → 1",
            "API Gateway (HTTP) of Get's event Http [TimeoutInMillis 10 s] → 1",
            "Plain [Timeout 20 s] → 0",
            "Open [Timeout ?] → 0",
            "Unknown [Timeout ?] → 0",
        ]
    );
    assert_eq!(parts[0].logged_as, ["*-get"]);
    assert_eq!(parts[3].logged_as, ["Plain", "*-Plain-*"]);
    assert_eq!(parts[3].limits[0].place.as_deref(), Some("template.yaml:7"));
}

#[test]
fn queues_lie_in_front_of_the_functions_that_read_them() {
    let text = "Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n    Properties: {VisibilityTimeout: 30}\n  Work:\n    Type: AWS::Serverless::Function\n    Properties:\n      Timeout: 60\n      Events:\n        Job:\n          Type: SQS\n          Properties: {Queue: !GetAtt Jobs.Arn}\n  Other:\n    Type: AWS::Lambda::Function\n    Properties: {Timeout: 5}\n  Map:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties: {EventSourceArn: !GetAtt [Jobs, Arn], FunctionName: !Ref Other}\n";
    assert_eq!(told(&parts(text)), ["Jobs [VisibilityTimeout 30 s] → 2", "Work [Timeout 60 s] → 0", "Other [Timeout 5 s] → 0"]);
}

#[test]
fn gateways_of_plain_cloudformation_in_json() {
    let text = r#"{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {
      "Fn": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 60}},
      "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {}},
      "Get": {"Type": "AWS::ApiGateway::Method", "Properties": {"RestApiId": {"Ref": "Api"}, "Integration": {"TimeoutInMillis": 15000,
        "Uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations"}}}},
      "Web": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {"IntegrationUri": {"Fn::GetAtt": ["Fn", "Arn"]}}},
      "Cdn": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": {"Origins": [
        {"Id": "api", "DomainName": {"Fn::Sub": "${Api}.execute-api.eu-west-1.amazonaws.com"}, "CustomOriginConfig": {"OriginReadTimeout": 10}},
        {"Id": "s3", "DomainName": "x.s3.amazonaws.com", "S3OriginConfig": {}}]}}}
    }}"#;
    let parts = parts(text);
    assert_eq!(
        told(&parts),
        [
            "Fn [Timeout 60 s] → 0",
            "API Gateway (REST) of Get [TimeoutInMillis 15 s] → 1",
            "API Gateway (HTTP) of Web [] → 1",
            "CloudFront Cdn, origin api [OriginReadTimeout 10 s] → 1",
        ]
    );
    assert_eq!(parts[1].behind, [parts[0].known_as[0].clone()]);
    assert_eq!(parts[3].behind, parts[1].known_as);
}

#[test]
fn a_load_balancer_leads_through_listeners_and_target_groups() {
    let text = "Resources:\n  Balancer:\n    Type: AWS::ElasticLoadBalancingV2::LoadBalancer\n    Properties:\n      LoadBalancerAttributes:\n        - {Key: idle_timeout.timeout_seconds, Value: '30'}\n  Listener:\n    Type: AWS::ElasticLoadBalancingV2::Listener\n    Properties:\n      LoadBalancerArn: !Ref Balancer\n      DefaultActions: [{Type: forward, TargetGroupArn: !Ref Group}]\n  Group:\n    Type: AWS::ElasticLoadBalancingV2::TargetGroup\n    Properties: {TargetType: ip}\n  Service:\n    Type: AWS::ECS::Service\n    Properties:\n      TaskDefinition: !Ref Task\n      LoadBalancers: [{TargetGroupArn: !Ref Group}]\n  Task:\n    Type: AWS::ECS::TaskDefinition\n    Properties:\n      ContainerDefinitions:\n        - Command: [gunicorn, 'app:app', --timeout, '60']\n  Net:\n    Type: AWS::ElasticLoadBalancingV2::LoadBalancer\n    Properties: {Type: network}\n";
    assert_eq!(
        told(&parts(text)),
        [
            "load balancer Balancer [idle_timeout.timeout_seconds 30 s] → 1",
            "Listener [] → 1",
            "Group [] → 1",
            "Service [] → 1",
            "Task [--timeout 60 s] → 0"
        ]
    );
}

#[test]
fn an_openapi_definition_sets_the_integrations_timeouts() {
    let text = "Resources:\n  Fn:\n    Type: AWS::Serverless::Function\n    Properties: {Timeout: 10}\n  Api:\n    Type: AWS::Serverless::Api\n    Properties:\n      DefinitionBody:\n        paths:\n          /x:\n            get:\n              x-amazon-apigateway-integration:\n                timeoutInMillis: 5000\n                uri: !Sub 'arn:…/functions/${Fn.Arn}/invocations'\n";
    assert_eq!(told(&parts(text)), ["Fn [Timeout 10 s] → 0", "API Gateway (REST) of Api [TimeoutInMillis 5 s] → 1"]);
}
