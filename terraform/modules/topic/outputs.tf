output "arn" {
  description = "ARN of the topic, known once its senders may publish: S3 tries that before it accepts the topic."
  value       = aws_sns_topic.this.arn
  depends_on  = [aws_sns_topic_policy.this]
}

output "name" {
  description = "Name of the topic."
  value       = aws_sns_topic.this.name
}
