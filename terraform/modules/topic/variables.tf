variable "name" {
  description = "Name of the topic."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,256}$", var.name))
    error_message = "\"${var.name}\" cannot be the name of a topic: use up to 256 letters, digits, hyphens and underscores."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key that encrypts the messages. Its policy has to let the senders use it, which the key alias/aws/sns never does."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is not the ARN of a KMS key: write arn:PARTITION:kms:REGION:ACCOUNT:key/ID (an alias does not do)."
  }
}

variable "senders" {
  description = "The services that may publish, by the Sid of their statement, each for one resource (source_arn; * and ? stand for any), and of one account for those that say so (EventBridge does not). IAM identities of the account need no entry."
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

variable "queues" {
  description = "Queues that subscribe, by a name of your choice, with raw delivery. dead_letter_arn is the queue that gets what cannot be delivered, filter_policy JSON that is matched against the body of a message; null takes everything."
  type = map(object({
    arn             = string
    dead_letter_arn = string
    filter_policy   = optional(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for queue in var.queues : queue.filter_policy == null || can(keys(jsondecode(queue.filter_policy)))])
    error_message = "A filter policy is not a JSON object: write it with jsonencode({ … })."
  }

  validation {
    condition     = alltrue([for queue in var.queues : queue.dead_letter_arn != queue.arn])
    error_message = "What cannot be delivered to a queue goes to the same queue: name another one as dead_letter_arn."
  }
}

variable "emails" {
  description = "Addresses that subscribe. Each has to confirm by the link that SNS sends."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@\\s,;<>]+@[^@\\s,;<>.]+(\\.[^@\\s,;<>.]+)+$", email))])
    error_message = "Not e-mail addresses: ${join(", ", [for email in var.emails : "\"${email}\"" if !can(regex("^[^@\\s,;<>]+@[^@\\s,;<>.]+(\\.[^@\\s,;<>.]+)+$", email))])}. Write each like on-call@example.com, without a name around it."
  }
}
