module "topic" {
  source = "../topic"

  name        = var.name
  kms_key_arn = var.kms_key_arn
  emails      = var.emails

  senders = {
    OnlyTheseAlarmsPublish = {
      service        = "cloudwatch.amazonaws.com"
      source_arn     = "arn:${var.partition}:cloudwatch:${var.region}:${var.account}:alarm:${var.name}-*"
      source_account = var.account
    }
  }
}

locals {
  state_machines = { for key, arn in var.state_machines : key => split(":", arn)[6] }
  ends = {
    Failed   = "fail: their history says why"
    Aborted  = "were ended by hand"
    TimedOut = "take too long and were ended"
  }

  # One period of one minute: the first dead letter, the first error is already worth a message.
  alarms = merge(
    { for key, name in var.dead_letter_queues : "${key}-depth" => {
      description = "There are dead letters in ${name}: look at them with claimctl queue peek"
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = name }
      statistic   = "Maximum"
      threshold   = 0
    } },
    # SQS counts a dead letter's age from when it was first sent, and removes it at its retention.
    { for key, name in var.dead_letter_queues : "${key}-expiring" => {
      description = "Dead letters in ${name} have lain for half of the time that they are kept: send them again with claimctl dlq replay, or keep them with claimctl queue drain, before SQS removes them"
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = name }
      statistic   = "Maximum"
      threshold   = var.dead_letter_retention / 2
    } },
    { for key, queue in var.queues : "${key}-age" => {
      description = "Messages wait for more than ${queue.oldest_age} s in ${queue.name}: its function does not keep up, or fails"
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = queue.name }
      statistic   = "Maximum"
      threshold   = queue.oldest_age
    } },
    { for key, name in var.functions : "${key}-errors" => {
      description = "Invocations of ${name} fail: its log says why"
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = name }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for key, name in var.functions : "${key}-throttles" => {
      description = "Invocations of ${name} are throttled: raise its concurrency, or the account's"
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = { FunctionName = name }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for name in setproduct(keys(var.tables), ["Read", "Write"]) : "${name[0]}-${lower(name[1])}-throttles" => {
      description = "${name[1]}s of table ${var.tables[name[0]]} are throttled: a key is asked for too often, or the account's limit is reached"
      namespace   = "AWS/DynamoDB"
      metric      = "${name[1]}ThrottleEvents"
      dimensions  = { TableName = var.tables[name[0]] }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for key, name in var.topics : "${key}-failed" => {
      description = "SNS cannot deliver messages of topic ${name}: a queue that subscribes is gone, or refuses them"
      namespace   = "AWS/SNS"
      metric      = "NumberOfNotificationsFailed"
      dimensions  = { TopicName = name }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for key, name in var.topics : "${key}-redriven" => {
      description = "Messages of topic ${name} that could not be delivered are kept in the queue of their subscription: look at it with claimctl dlq ls"
      namespace   = "AWS/SNS"
      metric      = "NumberOfNotificationsRedrivenToDlq"
      dimensions  = { TopicName = name }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for key, name in var.topics : "${key}-lost" => {
      description = "Messages of topic ${name} could be neither delivered nor kept, and are lost: its subscriptions' queues have to take what the topic sends"
      namespace   = "AWS/SNS"
      metric      = "NumberOfNotificationsFailedToRedriveToDlq"
      dimensions  = { TopicName = name }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for key, function in var.streams : "${key}-iterator-age" => {
      description = "${function.name} is more than ${function.oldest_age} s behind its stream, which keeps records for a day: it does not keep up, or fails"
      namespace   = "AWS/Lambda"
      metric      = "IteratorAge"
      dimensions  = { FunctionName = function.name }
      statistic   = "Maximum"
      threshold   = function.oldest_age * 1000
    } },
    { for key, api in var.apis : "${key}-5xx" => {
      description = "API ${api.name} answers with 500 or above: the log of its function says why"
      namespace   = "AWS/ApiGateway"
      metric      = "5XXError"
      dimensions  = { ApiName = api.name, Stage = api.stage }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for key, rule in var.rules : "${key}-failed" => {
      description = "Rule ${rule.name} could not deliver an event and has given it up: look for it with claimctl dlq ls"
      namespace   = "AWS/Events"
      metric      = "FailedInvocations"
      dimensions  = { EventBusName = rule.bus, RuleName = rule.name }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for key, rule in var.rules : "${key}-lost" => {
      description = "Events of rule ${rule.name} could be neither delivered nor kept, and are lost: its dead-letter queue has to take what the rule sends"
      namespace   = "AWS/Events"
      metric      = "InvocationsFailedToBeSentToDlq"
      dimensions  = { EventBusName = rule.bus, RuleName = rule.name }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for pair in setproduct(keys(var.state_machines), keys(local.ends)) : "${pair[0]}-${lower(pair[1])}" => {
      description = "Executions of ${local.state_machines[pair[0]]} ${local.ends[pair[1]]}"
      namespace   = "AWS/States"
      metric      = "Executions${pair[1]}"
      dimensions  = { StateMachineArn = var.state_machines[pair[0]] }
      statistic   = "Sum"
      threshold   = 0
    } },
    { for key, name in var.destinations : "${key}-undelivered" => {
      description = "Failed events of ${name} do not reach their queue and are lost: its role has to be allowed to send to it"
      namespace   = "AWS/Lambda"
      metric      = "DestinationDeliveryFailures"
      dimensions  = { FunctionName = name }
      statistic   = "Sum"
      threshold   = 0
    } },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = 1

  # No messages and no invocations are no data points.
  treat_missing_data = "notBreaching"

  alarm_actions = [module.topic.arn]
  ok_actions    = [module.topic.arn]
}
