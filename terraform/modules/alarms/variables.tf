variable "name" {
  description = "Name of the topic, and what the alarms' names begin with."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,200}$", var.name))
    error_message = "\"${var.name}\" cannot be what names of alarms begin with: use up to 200 letters, digits, hyphens and underscores."
  }
}

variable "region" {
  description = "Region of the alarms."
  type        = string
}

variable "account" {
  description = "Account of the alarms."
  type        = string
}

variable "partition" {
  description = "Partition of the account."
  type        = string
}

variable "kms_key_arn" {
  description = "Customer-managed key of the topic; its policy has to let cloudwatch.amazonaws.com use it."
  type        = string
}

variable "emails" {
  description = "Who is told. Each has to confirm by the link that SNS sends."
  type        = list(string)
  default     = []
}

variable "dead_letter_queues" {
  description = "Queues in which any message is an alarm, by logical name."
  type        = map(string)
  default     = {}
}

variable "dead_letter_retention" {
  description = "Seconds for which the dead-letter queues keep a message; half of it is an alarm."
  type        = number
  default     = 1209600

  validation {
    condition     = var.dead_letter_retention >= 120 && var.dead_letter_retention <= 1209600
    error_message = "dead_letter_retention has to be from 120 to 1209600 (14 days): SQS keeps no message longer, and measures once a minute."
  }
}

variable "tables" {
  description = "Tables of which throttled reads and writes are alarms, by logical name."
  type        = map(string)
  default     = {}
}

variable "queues" {
  description = "Queues with the age in seconds at which their oldest message is an alarm, by logical name."
  type = map(object({
    name       = string
    oldest_age = number
  }))
  default = {}

  validation {
    condition     = alltrue([for queue in var.queues : queue.oldest_age >= 60])
    error_message = "oldest_age has to be 60 (seconds) or more: SQS measures once a minute."
  }
}

variable "destinations" {
  description = "Functions that hand failed events over to a queue, by logical name: one that cannot is an alarm."
  type        = map(string)
  default     = {}
}

variable "streams" {
  description = "Functions that read a stream, with the age in seconds at which the last record of a batch is an alarm, by logical name."
  type = map(object({
    name       = string
    oldest_age = number
  }))
  default = {}

  validation {
    condition     = alltrue([for stream in var.streams : stream.oldest_age >= 1 && stream.oldest_age < 86400])
    error_message = "oldest_age of a stream has to be from 1 to 86399 (seconds): a stream keeps its records for a day, and then they are lost."
  }
}

variable "apis" {
  description = "APIs whose answers of 500 and above are alarms, by logical name."
  type = map(object({
    name  = string
    stage = string
  }))
  default = {}
}

variable "rules" {
  description = "Rules of event buses whose events cannot be delivered, or are lost, which is an alarm, by logical name."
  type = map(object({
    name = string
    bus  = string
  }))
  default = {}
}

variable "state_machines" {
  description = "ARNs of state machines whose executions that fail, are aborted or time out are alarms, by logical name."
  type        = map(string)
  default     = {}
}

variable "functions" {
  description = "Functions whose errors and throttles are alarms, by logical name."
  type        = map(string)
  default     = {}
}

variable "topics" {
  description = "Topics of which any message that cannot be delivered is an alarm, by logical name."
  type        = map(string)
  default     = {}
}
