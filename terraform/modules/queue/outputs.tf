output "url" {
  description = "URL of the queue."
  value       = aws_sqs_queue.this.url
}

output "arn" {
  description = "ARN of the queue, known once its senders may send: S3 and SNS try that before they accept it."
  value       = aws_sqs_queue.this.arn
  depends_on  = [aws_sqs_queue_policy.this]
}

output "name" {
  description = "Name of the queue."
  value       = aws_sqs_queue.this.name
}

output "fifo" {
  description = "Whether it is a FIFO queue."
  value       = var.fifo
}

output "max_receive_count" {
  description = "Receives after which a message is a dead letter; null without a dead-letter queue."
  value       = var.dead_letter_queue ? var.max_receive_count : null
}

output "dead_letter" {
  description = "URL, ARN and name of the dead-letter queue; null where there is none."
  value = var.dead_letter_queue ? {
    url  = aws_sqs_queue.dead_letter[0].url
    arn  = aws_sqs_queue.dead_letter[0].arn
    name = aws_sqs_queue.dead_letter[0].name
  } : null
}
