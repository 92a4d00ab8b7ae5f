output "name" {
  description = "Name of the rule."
  value       = aws_cloudwatch_event_rule.this.name
}

output "arn" {
  description = "ARN of the rule: what the policies of targets and queues name as source."
  value       = aws_cloudwatch_event_rule.this.arn
}

output "log_group" {
  description = "Name of the log group and the days that its lines are kept; null without one."
  value = var.log_group == null ? null : {
    name           = aws_cloudwatch_log_group.this[0].name
    retention_days = aws_cloudwatch_log_group.this[0].retention_in_days
  }
}
