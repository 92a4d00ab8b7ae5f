//! How what belongs to an API reads as properties.

use serde_json::{Value, json};

use super::twins::{Applied, Property};

pub fn properties(applied: &Applied, kind: &str, twin: &Value) -> Vec<Property> {
    let mut all = match kind {
        "AWS::ApiGateway::Deployment" => vec![],
        "AWS::ApiGateway::GatewayResponse" => vec![
            ("ResponseType", twin["response_type"].clone(), Value::Null),
            ("StatusCode", number(&twin["status_code"]), Value::Null),
            ("ResponseParameters", twin["response_parameters"].clone(), json!({})),
            ("ResponseTemplates", twin["response_templates"].clone(), json!({})),
        ],
        "AWS::ApiGateway::Method" => method(applied, twin),
        "AWS::ApiGateway::Model" => vec![
            ("Name", twin["name"].clone(), Value::Null),
            ("ContentType", twin["content_type"].clone(), Value::Null),
            ("Schema", twin["schema"].clone(), Value::Null),
        ],
        "AWS::ApiGateway::RequestValidator" => vec![
            ("Name", twin["name"].clone(), Value::Null),
            ("ValidateRequestBody", twin["validate_request_body"].clone(), json!(false)),
            ("ValidateRequestParameters", twin["validate_request_parameters"].clone(), json!(false)),
        ],
        "AWS::ApiGateway::Resource" => vec![
            ("ParentId", twin["parent_id"].clone(), Value::Null),
            ("PathPart", twin["path_part"].clone(), Value::Null),
        ],
        "AWS::ApiGateway::RestApi" => {
            return vec![
                ("Name", twin["name"].clone(), Value::Null),
                ("Description", twin["description"].clone(), Value::Null),
                ("EndpointConfiguration", json!({"Types": twin["endpoint_configuration"][0]["types"]}), Value::Null),
            ];
        }
        "AWS::ApiGateway::Stage" => vec![
            ("DeploymentId", twin["deployment_id"].clone(), Value::Null),
            ("StageName", twin["stage_name"].clone(), Value::Null),
            ("AccessLogSetting", twin["access_log_settings"].clone(), Value::Null),
        ],
        other => panic!("not known how {other} reads in CloudFormation: add it here"),
    };
    all.push(("RestApiId", twin["rest_api_id"].clone(), Value::Null));
    all
}

/// With its integration.
fn method(applied: &Applied, twin: &Value) -> Vec<Property> {
    let is_of_it =
        |values: &&Value| ["rest_api_id", "resource_id", "http_method"].iter().all(|name| values[*name] == twin[*name]);
    let integrations = applied.managed().filter(|resource| resource["type"] == "aws_api_gateway_integration");
    let integration = integrations.map(|resource| &resource["values"]).find(is_of_it).unwrap();
    vec![
        ("ResourceId", twin["resource_id"].clone(), Value::Null),
        ("HttpMethod", twin["http_method"].clone(), Value::Null),
        ("AuthorizationType", twin["authorization"].clone(), Value::Null),
        ("RequestValidatorId", twin["request_validator_id"].clone(), Value::Null),
        ("RequestModels", map(&twin["request_models"]), json!({})),
        ("RequestParameters", map(&twin["request_parameters"]), json!({})),
        (
            "Integration",
            json!({"Type": integration["type"], "IntegrationHttpMethod": integration["integration_http_method"],
                "Uri": integration["uri"]}),
            Value::Null,
        ),
    ]
}

fn map(value: &Value) -> Value {
    if value.is_null() { json!({}) } else { value.clone() }
}

/// Terraform has a status as text, CloudFormation as a number.
fn number(text: &Value) -> Value {
    text.as_str().and_then(|text| text.parse::<u16>().ok()).map_or(Value::Null, Value::from)
}
