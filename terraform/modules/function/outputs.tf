output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "alias" {
  description = "Name of the alias that the triggers invoke."
  value       = local.alias
}

output "alias_arn" {
  description = "ARN of the alias, known once its invokers may invoke it: S3 tries that before it accepts the function."
  value       = aws_lambda_alias.live.arn
  depends_on  = [aws_lambda_permission.this]
}

output "invoke_arn" {
  description = "What API Gateway invokes the alias by."
  value       = aws_lambda_alias.live.invoke_arn
  depends_on  = [aws_lambda_permission.this]
}

output "artifact" {
  description = "Digest of the artifact."
  value       = var.artifact.digest
}

output "mapping" {
  description = "UUID of the event source mapping; null without a queue or a stream."
  value       = one(concat(aws_lambda_event_source_mapping.this[*].uuid, aws_lambda_event_source_mapping.stream[*].uuid))
}

output "log_group" {
  description = "Name of the log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "log_retention_days" {
  description = "Days that log lines are kept."
  value       = aws_cloudwatch_log_group.this.retention_in_days
}
