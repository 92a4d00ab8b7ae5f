//! Which Terraform resource is the twin of which CloudFormation resource, and how its attributes read as properties.

use serde_json::{Value, json};

use super::apis;

/// The applied state, as `terraform show -json` writes it.
pub struct Applied {
    /// `{type, values, address}`
    resources: Vec<Value>,
    pub outputs: Value,
}

impl Applied {
    pub fn new(state: &Value) -> Applied {
        let mut resources = Vec::new();
        gather(&state["values"]["root_module"], &mut resources);
        Applied { resources, outputs: state["values"]["outputs"].clone() }
    }

    pub fn managed(&self) -> impl Iterator<Item = &Value> {
        self.resources.iter().filter(|resource| resource["mode"] == "managed")
    }

    /// The values of the one resource of a type with this attribute.
    pub fn with(&self, kind: &str, attribute: &str, value: &Value) -> Option<&Value> {
        self.with_all(kind, &[(attribute, value.clone())])
    }

    fn with_all(&self, kind: &str, attributes: &[(&str, Value)]) -> Option<&Value> {
        let all = self.managed().filter(|resource| resource["type"] == kind).map(|resource| &resource["values"]);
        let mut found = all.filter(|values| attributes.iter().all(|(name, value)| values[*name] == *value));
        let first = found.next()?;
        assert!(found.next().is_none(), "more than one {kind} with {attributes:?}");
        Some(first)
    }
}

fn gather(module: &Value, resources: &mut Vec<Value>) {
    resources.extend(module["resources"].as_array().cloned().unwrap_or_default());
    module["child_modules"].as_array().into_iter().flatten().for_each(|child| gather(child, resources));
}

/// The Terraform type, and what names one: an attribute, and the property that is the same.
fn named(kind: &str) -> (&'static str, &'static [(&'static str, &'static str)]) {
    match kind {
        "AWS::ApiGateway::Deployment" => ("aws_api_gateway_deployment", &[("rest_api_id", "RestApiId")]),
        "AWS::ApiGateway::GatewayResponse" => {
            ("aws_api_gateway_gateway_response", &[("rest_api_id", "RestApiId"), ("response_type", "ResponseType")])
        }
        "AWS::ApiGateway::Method" => {
            ("aws_api_gateway_method", &[("resource_id", "ResourceId"), ("http_method", "HttpMethod")])
        }
        "AWS::ApiGateway::Model" => ("aws_api_gateway_model", &[("rest_api_id", "RestApiId"), ("name", "Name")]),
        "AWS::ApiGateway::RequestValidator" => ("aws_api_gateway_request_validator", &[("rest_api_id", "RestApiId")]),
        "AWS::ApiGateway::Resource" => {
            ("aws_api_gateway_resource", &[("rest_api_id", "RestApiId"), ("path_part", "PathPart")])
        }
        "AWS::ApiGateway::RestApi" => ("aws_api_gateway_rest_api", &[("name", "Name")]),
        "AWS::ApiGateway::Stage" => ("aws_api_gateway_stage", &[("rest_api_id", "RestApiId")]),
        "AWS::DynamoDB::Table" => ("aws_dynamodb_table", &[("name", "TableName")]),
        "AWS::Events::EventBus" => ("aws_cloudwatch_event_bus", &[("name", "Name")]),
        "AWS::Events::Rule" => ("aws_cloudwatch_event_rule", &[("name", "Name")]),
        "AWS::IAM::Role" => ("aws_iam_role", &[("name", "RoleName")]),
        "AWS::KMS::Key" => ("aws_kms_key", &[("description", "Description")]),
        "AWS::Lambda::Alias" => ("aws_lambda_alias", &[("function_name", "FunctionName")]),
        "AWS::Lambda::EventInvokeConfig" => ("aws_lambda_function_event_invoke_config", &[("qualifier", "Qualifier")]),
        "AWS::Lambda::EventSourceMapping" => {
            ("aws_lambda_event_source_mapping", &[("event_source_arn", "EventSourceArn")])
        }
        "AWS::Lambda::Function" => ("aws_lambda_function", &[("function_name", "FunctionName")]),
        "AWS::Lambda::Permission" => {
            ("aws_lambda_permission", &[("principal", "Principal"), ("source_arn", "SourceArn")])
        }
        "AWS::Logs::LogGroup" => ("aws_cloudwatch_log_group", &[("name", "LogGroupName")]),
        "AWS::Logs::ResourcePolicy" => ("aws_cloudwatch_log_resource_policy", &[("policy_name", "PolicyName")]),
        "AWS::S3::Bucket" => ("aws_s3_bucket", &[("bucket", "BucketName")]),
        "AWS::S3::BucketPolicy" => ("aws_s3_bucket_policy", &[("bucket", "Bucket")]),
        "AWS::SNS::Subscription" => ("aws_sns_topic_subscription", &[("endpoint", "Endpoint")]),
        "AWS::SNS::Topic" => ("aws_sns_topic", &[("name", "TopicName")]),
        "AWS::SNS::TopicPolicy" => ("aws_sns_topic_policy", &[("arn", "Topics")]),
        "AWS::SQS::Queue" => ("aws_sqs_queue", &[("name", "QueueName")]),
        "AWS::SQS::QueuePolicy" => ("aws_sqs_queue_policy", &[("queue_url", "Queues")]),
        "AWS::Scheduler::Schedule" => ("aws_scheduler_schedule", &[("name", "Name")]),
        // RDS makes the secret of a cluster.
        "AWS::SecretsManager::Secret" => ("aws_rds_cluster", &[("cluster_identifier", "Name")]),
        "AWS::StepFunctions::StateMachine" => ("aws_sfn_state_machine", &[("name", "StateMachineName")]),
        other => panic!("no Terraform resource is known as the twin of {other}: add it here"),
    }
}

pub fn twin_of(kind: &str) -> &'static str {
    named(kind).0
}

/// By what names it: the template's name is the twin's.
pub fn find<'a>(applied: &'a Applied, kind: &str, property: &mut dyn FnMut(&str) -> Value) -> Option<&'a Value> {
    let (twin, names) = named(kind);
    let names = names.iter().map(|(attribute, name)| match property(name) {
        // A policy of several queues is a policy of each.
        Value::Array(names) => (*attribute, names.first().cloned().unwrap_or_default()),
        name => (*attribute, name),
    });
    applied.with_all(twin, &names.collect::<Vec<_>>())
}

/// What `Ref` gives (AWS CloudFormation, "Template reference", return values).
pub fn reference(kind: &str, twin: &Value) -> Value {
    match kind {
        "AWS::ApiGateway::Deployment"
        | "AWS::ApiGateway::RequestValidator"
        | "AWS::ApiGateway::Resource"
        | "AWS::ApiGateway::RestApi" => &twin["id"],
        "AWS::ApiGateway::Stage" => &twin["stage_name"],
        "AWS::Lambda::Alias" | "AWS::SNS::Topic" | "AWS::StepFunctions::StateMachine" => &twin["arn"],
        "AWS::Lambda::EventSourceMapping" => &twin["uuid"],
        "AWS::Lambda::Function" => &twin["function_name"],
        "AWS::KMS::Key" => &twin["key_id"],
        "AWS::S3::Bucket" => &twin["bucket"],
        "AWS::SQS::Queue" => &twin["url"],
        "AWS::SecretsManager::Secret" => &twin["master_user_secret"][0]["secret_arn"],
        _ => &twin["name"],
    }
    .clone()
}

/// What `Fn::GetAtt` gives.
pub fn attribute(kind: &str, name: &str, twin: &Value) -> Value {
    match name {
        "Arn" => arn(kind, twin),
        "RootResourceId" => twin["root_resource_id"].clone(),
        "StreamArn" => twin["stream_arn"].clone(),
        other => panic!("not known what {other} of {kind} is"),
    }
}

fn arn(kind: &str, twin: &Value) -> Value {
    let arn = twin["arn"].as_str().unwrap();
    // CloudFormation's ARN of a log group covers its streams; Terraform's does not.
    let streams = if kind == "AWS::Logs::LogGroup" { ":*" } else { "" };
    format!("{arn}{streams}").into()
}

/// What a property is in Terraform, and what it is where the template leaves it out.
pub type Property = (&'static str, Value, Value);

/// All that CloudFormation could say of the twin, so that what one of both has and the other lacks is found.
pub fn properties(applied: &Applied, kind: &str, twin: &Value) -> Vec<Property> {
    match kind {
        kind if kind.starts_with("AWS::ApiGateway::") => apis::properties(applied, kind, twin),
        "AWS::DynamoDB::Table" => table(twin),
        "AWS::Events::EventBus" => vec![("Name", twin["name"].clone(), Value::Null)],
        "AWS::Events::Rule" => rule(applied, twin),
        "AWS::IAM::Role" => role(applied, twin),
        "AWS::KMS::Key" => vec![
            ("Description", twin["description"].clone(), Value::Null),
            ("EnableKeyRotation", twin["enable_key_rotation"].clone(), json!(false)),
            ("PendingWindowInDays", twin["deletion_window_in_days"].clone(), json!(30)),
            ("KeyPolicy", parsed(&twin["policy"]), Value::Null),
        ],
        "AWS::Lambda::Alias" => vec![
            ("Name", twin["name"].clone(), Value::Null),
            ("FunctionName", twin["function_name"].clone(), Value::Null),
        ],
        "AWS::Lambda::EventInvokeConfig" => vec![
            ("FunctionName", twin["function_name"].clone(), Value::Null),
            ("Qualifier", twin["qualifier"].clone(), Value::Null),
            ("MaximumRetryAttempts", twin["maximum_retry_attempts"].clone(), json!(2)),
            ("MaximumEventAgeInSeconds", twin["maximum_event_age_in_seconds"].clone(), Value::Null),
            ("DestinationConfig", on_failure(&twin["destination_config"]), Value::Null),
        ],
        "AWS::Lambda::EventSourceMapping" => mapping(twin),
        "AWS::Lambda::Function" => function(twin),
        "AWS::Lambda::Permission" => vec![
            ("Action", twin["action"].clone(), Value::Null),
            // Terraform names function and alias, CloudFormation the alias by its ARN.
            ("FunctionName", alias_arn(applied, twin), Value::Null),
            ("Principal", twin["principal"].clone(), Value::Null),
            ("SourceArn", twin["source_arn"].clone(), Value::Null),
            ("SourceAccount", twin["source_account"].clone(), Value::Null),
        ],
        "AWS::Logs::LogGroup" => vec![
            ("LogGroupName", twin["name"].clone(), Value::Null),
            ("RetentionInDays", twin["retention_in_days"].clone(), json!(0)),
        ],
        "AWS::Logs::ResourcePolicy" => vec![
            ("PolicyName", twin["policy_name"].clone(), Value::Null),
            ("PolicyDocument", parsed(&twin["policy_document"]), Value::Null),
        ],
        "AWS::S3::Bucket" => bucket(applied, twin),
        "AWS::S3::BucketPolicy" => vec![
            ("Bucket", twin["bucket"].clone(), Value::Null),
            ("PolicyDocument", parsed(&twin["policy"]), Value::Null),
        ],
        "AWS::SNS::Subscription" => vec![
            ("TopicArn", twin["topic_arn"].clone(), Value::Null),
            ("Protocol", twin["protocol"].clone(), Value::Null),
            ("Endpoint", twin["endpoint"].clone(), Value::Null),
            ("RawMessageDelivery", twin["raw_message_delivery"].clone(), json!(false)),
            ("FilterPolicyScope", twin["filter_policy_scope"].clone(), json!("MessageAttributes")),
            ("FilterPolicy", parsed(&twin["filter_policy"]), Value::Null),
            ("RedrivePolicy", parsed(&twin["redrive_policy"]), Value::Null),
        ],
        "AWS::SNS::Topic" => vec![
            ("TopicName", twin["name"].clone(), Value::Null),
            ("KmsMasterKeyId", twin["kms_master_key_id"].clone(), Value::Null),
            ("FifoTopic", twin["fifo_topic"].clone(), json!(false)),
        ],
        "AWS::SNS::TopicPolicy" => vec![
            ("Topics", json!([twin["arn"]]), Value::Null),
            ("PolicyDocument", parsed(&twin["policy"]), Value::Null),
        ],
        "AWS::SQS::Queue" => queue(applied, twin),
        "AWS::SQS::QueuePolicy" => vec![
            ("Queues", json!([twin["queue_url"]]), Value::Null),
            ("PolicyDocument", parsed(&twin["policy"]), Value::Null),
        ],
        "AWS::Scheduler::Schedule" => schedule(twin),
        "AWS::SecretsManager::Secret" => vec![
            ("Name", twin["cluster_identifier"].clone(), Value::Null),
            ("Description", Value::Null, Value::Null),
            ("KmsKeyId", twin["master_user_secret_kms_key_id"].clone(), Value::Null),
            ("SecretString", Value::Null, Value::Null),
        ],
        "AWS::StepFunctions::StateMachine" => state_machine(twin),
        other => panic!("not known how {other} reads in CloudFormation: add it here"),
    }
}

fn on_failure(blocks: &Value) -> Value {
    let on_failure = |block: &Value| {
        let block = &block["on_failure"][0];
        // That of a mapping is called otherwise.
        let destination = block.get("destination").unwrap_or(&block["destination_arn"]);
        json!({"OnFailure": {"Destination": destination}})
    };
    blocks.get(0).map_or(Value::Null, on_failure)
}

fn alias_arn(applied: &Applied, permission: &Value) -> Value {
    let alias = applied.with("aws_lambda_alias", "function_name", &permission["function_name"]);
    alias.filter(|alias| alias["name"] == permission["qualifier"]).map_or(Value::Null, |alias| alias["arn"].clone())
}

fn table(twin: &Value) -> Vec<Property> {
    let attributes = twin["attribute"].as_array().unwrap().iter();
    let attributes = attributes.map(|a| json!({"AttributeName": a["name"], "AttributeType": a["type"]}));
    let ttl = twin["ttl"].get(0).map(|ttl| json!({"AttributeName": ttl["attribute_name"], "Enabled": ttl["enabled"]}));
    let key = |partition: &Value, sort: &Value| {
        let mut keys = vec![json!({"AttributeName": partition, "KeyType": "HASH"})];
        keys.extend(sort.as_str().map(|sort| json!({"AttributeName": sort, "KeyType": "RANGE"})));
        Value::from(keys)
    };
    let indexes = twin["global_secondary_index"].as_array().unwrap().iter();
    let indexes = indexes.map(|index| {
        json!({"IndexName": index["name"], "KeySchema": key(&index["hash_key"], &index["range_key"]),
            "Projection": {"ProjectionType": index["projection_type"]}})
    });
    let stream = twin["stream_enabled"] == true;
    let stream = if stream { json!({"StreamViewType": twin["stream_view_type"]}) } else { Value::Null };
    let encryption = &twin["server_side_encryption"][0];
    let encryption = match encryption["kms_key_arn"].as_str().filter(|key| !key.is_empty()) {
        Some(key) => json!({"SSEEnabled": encryption["enabled"], "SSEType": "KMS", "KMSMasterKeyId": key}),
        None => json!({"SSEEnabled": encryption["enabled"]}),
    };
    vec![
        ("TableName", twin["name"].clone(), Value::Null),
        ("BillingMode", twin["billing_mode"].clone(), json!("PROVISIONED")),
        ("AttributeDefinitions", attributes.collect(), Value::Null),
        ("KeySchema", key(&twin["hash_key"], &Value::Null), Value::Null),
        ("GlobalSecondaryIndexes", indexes.collect(), json!([])),
        ("StreamSpecification", stream, Value::Null),
        ("SSESpecification", encryption, Value::Null),
        (
            "PointInTimeRecoverySpecification",
            json!({"PointInTimeRecoveryEnabled": twin["point_in_time_recovery"][0]["enabled"]}),
            json!({"PointInTimeRecoveryEnabled": false}),
        ),
        ("TimeToLiveSpecification", ttl.unwrap_or_default(), Value::Null),
        ("DeletionProtectionEnabled", twin["deletion_protection_enabled"].clone(), json!(false)),
    ]
}

/// What a role may do so that Lambda can put its function into a network, and with a topic's key: the sandbox has neither.
const NOT_IN_THE_SANDBOX: [&str; 4] = ["MakeInterfaces", "FindInterfaces", "OnlyLambdaMakesThem", "PublishEncrypted"];

fn role(applied: &Applied, twin: &Value) -> Vec<Property> {
    let inline = applied.managed().filter(|resource| resource["type"] == "aws_iam_role_policy");
    let inline = inline.filter(|resource| resource["values"]["role"] == twin["name"]);
    let inline = inline.map(|resource| &resource["values"]);
    let policies = inline.map(|of| {
        let mut document = parsed(&of["policy"]);
        let statements = document["Statement"].as_array_mut().unwrap();
        statements.retain(|statement| !statement["Sid"].as_str().is_some_and(|sid| NOT_IN_THE_SANDBOX.contains(&sid)));
        json!({"PolicyName": of["name"], "PolicyDocument": document})
    });
    vec![
        ("RoleName", twin["name"].clone(), Value::Null),
        ("AssumeRolePolicyDocument", parsed(&twin["assume_role_policy"]), Value::Null),
        ("Policies", policies.collect(), json!([])),
        ("PermissionsBoundary", twin["permissions_boundary"].clone(), Value::Null),
        ("Path", twin["path"].clone(), json!("/")),
        ("MaxSessionDuration", twin["max_session_duration"].clone(), json!(3600)),
    ]
}

fn mapping(twin: &Value) -> Vec<Property> {
    vec![
        ("EventSourceArn", twin["event_source_arn"].clone(), Value::Null),
        ("FunctionName", twin["function_name"].clone(), Value::Null),
        ("FunctionResponseTypes", twin["function_response_types"].clone(), json!([])),
        ("BatchSize", twin["batch_size"].clone(), json!(10)),
        ("MaximumBatchingWindowInSeconds", twin["maximum_batching_window_in_seconds"].clone(), json!(0)),
        ("Enabled", twin["enabled"].clone(), json!(true)),
        ("ScalingConfig", concurrency(&twin["scaling_config"]), Value::Null),
        ("StartingPosition", set(&twin["starting_position"]), Value::Null),
        ("BisectBatchOnFunctionError", set(&twin["bisect_batch_on_function_error"]), Value::Null),
        ("MaximumRecordAgeInSeconds", set(&twin["maximum_record_age_in_seconds"]), Value::Null),
        ("MaximumRetryAttempts", set(&twin["maximum_retry_attempts"]), Value::Null),
        ("DestinationConfig", on_failure(&twin["destination_config"]), Value::Null),
    ]
}

/// Null where a value is the plainest of its kind, as the provider has what nobody asked for.
fn set(value: &Value) -> Value {
    if [json!(""), json!(0), json!(false)].contains(value) { Value::Null } else { value.clone() }
}

/// With its target.
fn rule(applied: &Applied, twin: &Value) -> Vec<Property> {
    let target = applied.with("aws_cloudwatch_event_target", "rule", &twin["name"]).unwrap();
    // CloudFormation has the ARN of a log group with its streams.
    let arn = target["arn"].as_str().unwrap();
    let arn = if arn.contains(":log-group:") { format!("{arn}:*") } else { arn.to_owned() };
    let mut written = json!({"Id": target["target_id"], "Arn": arn,
        "DeadLetterConfig": {"Arn": target["dead_letter_config"][0]["arn"]}});
    let retries = &target["retry_policy"][0];
    let retries = json!({"MaximumRetryAttempts": retries["maximum_retry_attempts"],
        "MaximumEventAgeInSeconds": retries["maximum_event_age_in_seconds"]});
    // What EventBridge does where nothing is said.
    if retries != json!({"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}) {
        written["RetryPolicy"] = retries;
    }
    vec![
        ("Name", twin["name"].clone(), Value::Null),
        ("EventBusName", twin["event_bus_name"].clone(), json!("default")),
        ("EventPattern", parsed(&twin["event_pattern"]), Value::Null),
        ("Targets", json!([written]), json!([])),
    ]
}

fn state_machine(twin: &Value) -> Vec<Property> {
    let logging = &twin["logging_configuration"][0];
    let group = json!({"CloudWatchLogsLogGroup": {"LogGroupArn": logging["log_destination"]}});
    let asl =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/terraform/stacks/payments/settlement/settlement.asl.json"));
    let mut substitutions = json!({});
    filled(&serde_json::from_str(asl).unwrap(), &parsed(&twin["definition"]), &mut substitutions);
    vec![
        ("StateMachineName", twin["name"].clone(), Value::Null),
        ("StateMachineType", twin["type"].clone(), json!("STANDARD")),
        ("RoleArn", twin["role_arn"].clone(), Value::Null),
        // That it is the same file is shown by what its placeholders are filled with.
        ("DefinitionS3Location", Value::Null, Value::Null),
        ("DefinitionSubstitutions", substitutions, json!({})),
        (
            "LoggingConfiguration",
            json!({"Level": logging["level"], "IncludeExecutionData": logging["include_execution_data"],
                "Destinations": [group]}),
            Value::Null,
        ),
    ]
}

/// What the placeholders of a text are in another one that is the same otherwise.
fn filled(from: &Value, into: &Value, found: &mut Value) {
    match (from, into) {
        (Value::Object(from), Value::Object(into)) => {
            assert!(from.keys().eq(into.keys()), "{from:?} is not {into:?}");
            from.iter().for_each(|(name, value)| filled(value, &into[name], found));
        }
        (Value::Array(from), Value::Array(into)) => {
            assert_eq!(from.len(), into.len());
            from.iter().zip(into).for_each(|(from, into)| filled(from, into, found));
        }
        (Value::String(text), into) if text.starts_with("${") => {
            found[text.trim_matches(['$', '{', '}'])] = into.clone()
        }
        _ => assert_eq!(from, into, "the definition is another one"),
    }
}

fn concurrency(blocks: &Value) -> Value {
    blocks.get(0).map_or(Value::Null, |block| json!({"MaximumConcurrency": block["maximum_concurrency"]}))
}

fn function(twin: &Value) -> Vec<Property> {
    vec![
        ("FunctionName", twin["function_name"].clone(), Value::Null),
        ("Runtime", twin["runtime"].clone(), Value::Null),
        ("Handler", twin["handler"].clone(), Value::Null),
        ("Architectures", twin["architectures"].clone(), json!(["x86_64"])),
        ("MemorySize", twin["memory_size"].clone(), json!(128)),
        ("Timeout", twin["timeout"].clone(), json!(3)),
        ("Role", twin["role"].clone(), Value::Null),
        ("Code", json!({"S3Bucket": twin["s3_bucket"], "S3Key": twin["s3_key"]}), Value::Null),
        ("Environment", json!({"Variables": twin["environment"][0]["variables"]}), json!({"Variables": null})),
        ("VpcConfig", twin["vpc_config"].clone(), Value::Null),
        ("ReservedConcurrentExecutions", twin["reserved_concurrent_executions"].clone(), json!(-1)),
    ]
}

fn bucket(applied: &Applied, twin: &Value) -> Vec<Property> {
    let part = |kind: &str| applied.with(kind, "bucket", &twin["bucket"]).cloned().unwrap_or_default();
    let rule = &part("aws_s3_bucket_server_side_encryption_configuration")["rule"][0];
    let default = &rule["apply_server_side_encryption_by_default"][0];
    let mut encryption = json!({"ServerSideEncryptionByDefault": {"SSEAlgorithm": default["sse_algorithm"]}});
    if let Some(key) = default["kms_master_key_id"].as_str().filter(|key| !key.is_empty()) {
        encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] = key.into();
        encryption["BucketKeyEnabled"] = rule["bucket_key_enabled"].clone();
    }
    let access = part("aws_s3_bucket_public_access_block");
    let versioning = &part("aws_s3_bucket_versioning")["versioning_configuration"][0]["status"];
    vec![
        ("BucketName", twin["bucket"].clone(), Value::Null),
        ("BucketEncryption", json!({"ServerSideEncryptionConfiguration": [encryption]}), Value::Null),
        (
            "OwnershipControls",
            json!({"Rules": [
                {"ObjectOwnership": part("aws_s3_bucket_ownership_controls")["rule"][0]["object_ownership"]}]}),
            Value::Null,
        ),
        (
            "PublicAccessBlockConfiguration",
            json!({"BlockPublicAcls": access["block_public_acls"], "BlockPublicPolicy": access["block_public_policy"],
                "IgnorePublicAcls": access["ignore_public_acls"],
                "RestrictPublicBuckets": access["restrict_public_buckets"]}),
            Value::Null,
        ),
        ("NotificationConfiguration", notifications(&part("aws_s3_bucket_notification")), json!({})),
        ("VersioningConfiguration", json!({"Status": versioning}), json!({"Status": null})),
    ]
}

/// CloudFormation has one event per configuration, Terraform a list.
fn notifications(twin: &Value) -> Value {
    let mut all = json!({});
    let kinds = [
        ("QueueConfigurations", "queue", "Queue", "queue_arn"),
        ("TopicConfigurations", "topic", "Topic", "topic_arn"),
        ("LambdaConfigurations", "lambda_function", "Function", "lambda_function_arn"),
    ];
    for (name, block, destination, attribute) in kinds {
        let mut configurations = Vec::new();
        for rule in twin[block].as_array().into_iter().flatten() {
            let filters = [("prefix", &rule["filter_prefix"]), ("suffix", &rule["filter_suffix"])];
            let rules = filters.into_iter().filter(|(_, value)| !matches!(value.as_str(), None | Some("")));
            let rules: Vec<Value> = rules.map(|(name, value)| json!({"Name": name, "Value": value})).collect();
            for event in rule["events"].as_array().unwrap() {
                let mut configuration = json!({"Event": event, destination: rule[attribute]});
                if !rules.is_empty() {
                    configuration["Filter"] = json!({"S3Key": {"Rules": rules}});
                }
                configurations.push(configuration);
            }
        }
        if !configurations.is_empty() {
            all[name] = configurations.into();
        }
    }
    all
}

fn queue(applied: &Applied, twin: &Value) -> Vec<Property> {
    let apart = |kind: &str, attribute: &str| {
        let resource = applied.with(kind, "queue_url", &twin["url"]).map(|values| values[attribute].clone());
        parsed(resource.as_ref().unwrap_or(&twin[attribute]))
    };
    vec![
        ("QueueName", twin["name"].clone(), Value::Null),
        ("SqsManagedSseEnabled", twin["sqs_managed_sse_enabled"].clone(), json!(true)),
        ("ReceiveMessageWaitTimeSeconds", twin["receive_wait_time_seconds"].clone(), json!(0)),
        ("VisibilityTimeout", twin["visibility_timeout_seconds"].clone(), json!(30)),
        ("MessageRetentionPeriod", twin["message_retention_seconds"].clone(), json!(345_600)),
        ("DelaySeconds", twin["delay_seconds"].clone(), json!(0)),
        ("MaximumMessageSize", twin["max_message_size"].clone(), json!(1_048_576)),
        ("FifoQueue", twin["fifo_queue"].clone(), json!(false)),
        ("ContentBasedDeduplication", twin["content_based_deduplication"].clone(), json!(false)),
        ("DeduplicationScope", set(&twin["deduplication_scope"]), Value::Null),
        ("FifoThroughputLimit", set(&twin["fifo_throughput_limit"]), Value::Null),
        ("RedrivePolicy", apart("aws_sqs_queue_redrive_policy", "redrive_policy"), Value::Null),
        ("RedriveAllowPolicy", apart("aws_sqs_queue_redrive_allow_policy", "redrive_allow_policy"), Value::Null),
    ]
}

fn schedule(twin: &Value) -> Vec<Property> {
    let target = &twin["target"][0];
    let retries = &target["retry_policy"][0]["maximum_retry_attempts"];
    vec![
        ("Name", twin["name"].clone(), Value::Null),
        ("ScheduleExpression", twin["schedule_expression"].clone(), Value::Null),
        ("ScheduleExpressionTimezone", twin["schedule_expression_timezone"].clone(), json!("UTC")),
        ("FlexibleTimeWindow", json!({"Mode": twin["flexible_time_window"][0]["mode"]}), Value::Null),
        (
            "Target",
            json!({"Arn": target["arn"], "RoleArn": target["role_arn"], "Input": target["input"],
                "RetryPolicy": {"MaximumRetryAttempts": retries}}),
            Value::Null,
        ),
        ("State", twin["state"].clone(), json!("ENABLED")),
    ]
}

fn parsed(text: &Value) -> Value {
    text.as_str().filter(|text| !text.is_empty()).map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}
