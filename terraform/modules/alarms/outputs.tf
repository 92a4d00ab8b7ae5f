output "topic_arn" {
  description = "ARN of the topic that the alarms go to."
  value       = module.topic.arn
}
