//! Which Terraform resource is the twin of which CloudFormation resource, and how its attributes read as properties.

use serde_json::{Value, json};

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
        let all = self.managed().filter(|resource| resource["type"] == kind);
        let mut found = all.map(|resource| &resource["values"]).filter(|values| values[attribute] == *value);
        let first = found.next()?;
        assert!(found.next().is_none(), "more than one {kind} with {attribute} = {value}");
        Some(first)
    }
}

fn gather(module: &Value, resources: &mut Vec<Value>) {
    resources.extend(module["resources"].as_array().cloned().unwrap_or_default());
    module["child_modules"].as_array().into_iter().flatten().for_each(|child| gather(child, resources));
}

/// The Terraform type, the attribute that names one, and the property that does.
fn named(kind: &str) -> (&'static str, &'static str, &'static str) {
    match kind {
        "AWS::DynamoDB::Table" => ("aws_dynamodb_table", "name", "TableName"),
        "AWS::IAM::Role" => ("aws_iam_role", "name", "RoleName"),
        "AWS::KMS::Key" => ("aws_kms_key", "description", "Description"),
        "AWS::Lambda::Alias" => ("aws_lambda_alias", "function_name", "FunctionName"),
        "AWS::Lambda::EventInvokeConfig" => ("aws_lambda_function_event_invoke_config", "qualifier", "Qualifier"),
        "AWS::Lambda::EventSourceMapping" => ("aws_lambda_event_source_mapping", "event_source_arn", "EventSourceArn"),
        "AWS::Lambda::Function" => ("aws_lambda_function", "function_name", "FunctionName"),
        "AWS::Lambda::Permission" => ("aws_lambda_permission", "principal", "Principal"),
        "AWS::Logs::LogGroup" => ("aws_cloudwatch_log_group", "name", "LogGroupName"),
        "AWS::S3::Bucket" => ("aws_s3_bucket", "bucket", "BucketName"),
        "AWS::S3::BucketPolicy" => ("aws_s3_bucket_policy", "bucket", "Bucket"),
        "AWS::SNS::Subscription" => ("aws_sns_topic_subscription", "endpoint", "Endpoint"),
        "AWS::SNS::Topic" => ("aws_sns_topic", "name", "TopicName"),
        "AWS::SNS::TopicPolicy" => ("aws_sns_topic_policy", "arn", "Topics"),
        "AWS::SQS::Queue" => ("aws_sqs_queue", "name", "QueueName"),
        "AWS::SQS::QueuePolicy" => ("aws_sqs_queue_policy", "queue_url", "Queues"),
        "AWS::Scheduler::Schedule" => ("aws_scheduler_schedule", "name", "Name"),
        // RDS makes the secret of a cluster.
        "AWS::SecretsManager::Secret" => ("aws_rds_cluster", "cluster_identifier", "Name"),
        other => panic!("no Terraform resource is known as the twin of {other}: add it here"),
    }
}

pub fn twin_of(kind: &str) -> &'static str {
    named(kind).0
}

/// By what names it: the template's name is the twin's.
pub fn find<'a>(applied: &'a Applied, kind: &str, property: &mut dyn FnMut(&str) -> Value) -> Option<&'a Value> {
    let (twin, attribute, name) = named(kind);
    match property(name) {
        // A policy of several queues is a policy of each.
        Value::Array(names) => applied.with(twin, attribute, names.first()?),
        name => applied.with(twin, attribute, &name),
    }
}

/// What `Ref` gives (AWS CloudFormation, "Template reference", return values).
pub fn reference(kind: &str, twin: &Value) -> Value {
    match kind {
        "AWS::Lambda::Alias" | "AWS::SNS::Topic" => &twin["arn"],
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

pub fn arn(kind: &str, twin: &Value) -> Value {
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
        "AWS::DynamoDB::Table" => table(twin),
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
        other => panic!("not known how {other} reads in CloudFormation: add it here"),
    }
}

fn on_failure(blocks: &Value) -> Value {
    let on_failure = |block: &Value| json!({"OnFailure": {"Destination": block["on_failure"][0]["destination"]}});
    blocks.get(0).map_or(Value::Null, on_failure)
}

fn alias_arn(applied: &Applied, permission: &Value) -> Value {
    let alias = applied.with("aws_lambda_alias", "function_name", &permission["function_name"]);
    alias.filter(|alias| alias["name"] == permission["qualifier"]).map_or(Value::Null, |alias| alias["arn"].clone())
}

fn table(twin: &Value) -> Vec<Property> {
    let attributes = twin["attribute"].as_array().unwrap().iter();
    let attributes = attributes.map(|a| json!({"AttributeName": a["name"], "AttributeType": a["type"]}));
    let ttl = &twin["ttl"][0];
    let encryption = &twin["server_side_encryption"][0];
    let encryption = match encryption["kms_key_arn"].as_str().filter(|key| !key.is_empty()) {
        Some(key) => json!({"SSEEnabled": encryption["enabled"], "SSEType": "KMS", "KMSMasterKeyId": key}),
        None => json!({"SSEEnabled": encryption["enabled"]}),
    };
    vec![
        ("TableName", twin["name"].clone(), Value::Null),
        ("BillingMode", twin["billing_mode"].clone(), json!("PROVISIONED")),
        ("AttributeDefinitions", attributes.collect(), Value::Null),
        ("KeySchema", json!([{"AttributeName": twin["hash_key"], "KeyType": "HASH"}]), Value::Null),
        ("SSESpecification", encryption, Value::Null),
        (
            "PointInTimeRecoverySpecification",
            json!({"PointInTimeRecoveryEnabled": twin["point_in_time_recovery"][0]["enabled"]}),
            json!({"PointInTimeRecoveryEnabled": false}),
        ),
        (
            "TimeToLiveSpecification",
            json!({"AttributeName": ttl["attribute_name"], "Enabled": ttl["enabled"]}),
            Value::Null,
        ),
        ("DeletionProtectionEnabled", twin["deletion_protection_enabled"].clone(), json!(false)),
    ]
}

/// What a role may do so that Lambda can put its function into a network, which the sandbox does not have.
const OF_A_NETWORK: [&str; 3] = ["MakeInterfaces", "FindInterfaces", "OnlyLambdaMakesThem"];

fn role(applied: &Applied, twin: &Value) -> Vec<Property> {
    let inline = applied.managed().filter(|resource| resource["type"] == "aws_iam_role_policy");
    let inline = inline.filter(|resource| resource["values"]["role"] == twin["name"]);
    let inline = inline.map(|resource| &resource["values"]);
    let policies = inline.map(|of| {
        let mut document = parsed(&of["policy"]);
        let statements = document["Statement"].as_array_mut().unwrap();
        statements.retain(|statement| !statement["Sid"].as_str().is_some_and(|sid| OF_A_NETWORK.contains(&sid)));
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
    ]
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
