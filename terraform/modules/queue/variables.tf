variable "name" {
  description = "Name of the queue, without .fifo; its dead-letter queue is NAME-dlq."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,71}$", var.name))
    error_message = "\"${var.name}\" cannot be the name of a queue: use up to 71 letters, digits, hyphens and underscores (80, less what -dlq.fifo takes)."
  }
}

variable "fifo" {
  description = "Keep the order within message groups, each of which goes on by itself. S3 does not notify FIFO queues."
  type        = bool
  default     = false
}

variable "dead_letter_queue" {
  description = "Whether the queue has a dead-letter queue. One that is itself the end of a failed event needs none."
  type        = bool
  default     = true
}

variable "visibility_timeout_seconds" {
  description = "How long a received message is hidden from other receivers."
  type        = number
  default     = 30

  validation {
    condition     = var.visibility_timeout_seconds >= 0 && var.visibility_timeout_seconds <= 43200
    error_message = "visibility_timeout_seconds has to be from 0 to 43200 (twelve hours)."
  }

  validation {
    condition     = var.visibility_timeout_seconds >= 6 * var.consumer_timeout_seconds
    error_message = "The visibility timeout of ${var.name} (${var.visibility_timeout_seconds} s) is under six times its function's timeout (${var.consumer_timeout_seconds} s), so that messages would come back while they are worked on: raise it to ${6 * var.consumer_timeout_seconds} or more, or shorten the function's timeout."
  }
}

variable "consumer_timeout_seconds" {
  description = "Timeout of the function that reads the queue; 0: no function does."
  type        = number
  default     = 0
}

variable "message_retention_seconds" {
  description = "How long a message is kept."
  type        = number
  default     = 345600

  validation {
    condition     = var.message_retention_seconds >= 60 && var.message_retention_seconds <= 1209600
    error_message = "message_retention_seconds has to be from 60 to 1209600 (14 days)."
  }
}

variable "dead_letter_retention_seconds" {
  description = "How long a dead letter is kept, counted from when it was first sent to the source queue."
  type        = number
  default     = 1209600

  validation {
    condition     = var.dead_letter_retention_seconds >= 60 && var.dead_letter_retention_seconds <= 1209600
    error_message = "dead_letter_retention_seconds has to be from 60 to 1209600 (14 days)."
  }

  # A dead letter keeps the age that it had in the source queue: with less time, it can be gone as it arrives.
  validation {
    condition     = !var.dead_letter_queue || var.dead_letter_retention_seconds > var.message_retention_seconds
    error_message = "Dead letters of ${var.name} are kept for ${var.dead_letter_retention_seconds} s, not longer than its messages (${var.message_retention_seconds} s): raise dead_letter_retention_seconds, or lower message_retention_seconds."
  }
}

variable "max_receive_count" {
  description = "Receives after which a message is a dead letter."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count has to be from 1 to 1000; Lambda asks for 5 or more."
  }
}

variable "delay_seconds" {
  description = "How long a new message stays hidden."
  type        = number
  default     = 0

  validation {
    condition     = var.delay_seconds >= 0 && var.delay_seconds <= 900
    error_message = "delay_seconds has to be from 0 to 900 (15 minutes)."
  }
}

variable "receive_wait_time_seconds" {
  description = "How long a receive waits for a message (long polling)."
  type        = number
  default     = 20

  validation {
    condition     = var.receive_wait_time_seconds >= 1 && var.receive_wait_time_seconds <= 20
    error_message = "receive_wait_time_seconds has to be from 1 to 20: with 0, receives miss messages that are there."
  }
}

variable "max_message_size" {
  description = "Bytes of the longest message that is taken; null: as many as SQS takes, 1048576 (262144 with version 5 of the provider, which knows no more)."
  type        = number
  default     = null

  # The longest notification of S3 has a key of 1,024 bytes, each of which may be written as %XX: 3,072. What is beside it
  # takes under 2,048 (names of fields, a bucket's name of 63 and its ARN, ids of the request, of the configuration (255)
  # and of the version (1,024 at most, 32 in practice)). In an envelope of SNS each of its 150 quotes gets a backslash, and
  # signature, addresses, ARN and dates take under 2,048 more: 3,072 + 2,048 + 150 + 2,048 < 8,192.
  validation {
    condition     = var.max_message_size == null || try(var.max_message_size >= 8192 && var.max_message_size <= 1048576 && floor(var.max_message_size) == var.max_message_size, false)
    error_message = "max_message_size has to be from 8192, which the notification of an object with the longest key takes in an envelope of SNS, to 1048576; a message that is longer would be lost. Leave it null for as many as SQS takes."
  }
}

variable "senders" {
  description = <<-EOT
    The services that may send, by the Sid of their statement: for which resource (source_arn) and, for services that
    say so (S3 does, SNS does not), in which account. IAM identities of the account need no entry.
  EOT
  type = map(object({
    service        = string
    source_arn     = string
    source_account = optional(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for sid, sender in var.senders : can(regex("^[A-Za-z0-9]+$", sid)) && sid != "TlsOnly"])
    error_message = "The names of senders become Sids: use letters and digits only, and not TlsOnly."
  }

  validation {
    condition     = alltrue([for sender in var.senders : endswith(sender.service, ".amazonaws.com")])
    error_message = "A sender is no service principal: write its service like s3.amazonaws.com."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key that encrypts the messages; its policy has to let the senders use it. Null: SQS's own keys (SSE-SQS)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is not the ARN of a KMS key: write arn:PARTITION:kms:REGION:ACCOUNT:key/ID (an alias does not do)."
  }
}
