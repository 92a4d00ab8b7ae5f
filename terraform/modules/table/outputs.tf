output "name" {
  description = "Name of the table."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "ARN of the table."
  value       = aws_dynamodb_table.this.arn
}

output "partition_key" {
  description = "Name of the partition key."
  value       = aws_dynamodb_table.this.hash_key
}

output "stream_arn" {
  description = "ARN of the table's stream; null without one."
  value       = var.stream ? aws_dynamodb_table.this.stream_arn : null
}

output "index_arns" {
  description = "ARNs of the indexes, by their names."
  value       = { for name in keys(var.indexes) : name => "${aws_dynamodb_table.this.arn}/index/${name}" }
}
