variable "payment_stream_artifact" {
  description = "Digest of the artifact of payment-stream: sha256: and 64 hex digits."
  type        = string
}

variable "payment_events_artifact" {
  description = "Digest of the artifact of payment-events: sha256: and 64 hex digits."
  type        = string
}

variable "notices" {
  description = "Pattern of the events that the topic payment-notices tells, as JSON."
  type        = string
  default     = "{\"detail-type\":[\"PaymentFailed\"],\"source\":[\"payments\"]}"
}

variable "notice_emails" {
  description = "Addresses that get the notices. Each has to confirm by the link that SNS sends."
  type        = list(string)
  default     = []
}

variable "visibility_timeout" {
  description = "Visibility timeout of the queue in seconds: so long after a failure is a message tried again. Null: six times the function's timeout, the least that Lambda advises."
  type        = number
  default     = null
}

variable "oldest_event" {
  description = "Age in seconds at which a record that waits in the stream, or a message in the queue, is an alarm."
  type        = number
  default     = 900
}

variable "log_retention_days" {
  description = "Days that events are kept in their log group."
  type        = number
  default     = 30
}

variable "kms_key_arn" {
  description = <<-EOT
    Customer-managed key for queues, event bus, topics and logs, and for the table's stream where that is encrypted with it.
    Its policy has to let cloudwatch.amazonaws.com, events.amazonaws.com and logs.REGION.amazonaws.com use it,
    events.amazonaws.com also with kms:DescribeKey. Null: keys that the services own, and one of the stack's own for the
    topics.
  EOT
  type        = string
  default     = null
}
