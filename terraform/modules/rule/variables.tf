variable "name" {
  description = "Name of the rule."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{1,64}$", var.name))
    error_message = "\"${var.name}\" (${length(var.name)} characters) cannot be the name of a rule: use up to 64 letters, digits, hyphens, dots and underscores; shorten project or environment if it is too long."
  }
}

variable "description" {
  description = "Which events it takes, and what for."
  type        = string
}

variable "bus" {
  description = "Name of the event bus."
  type        = string
}

variable "pattern" {
  description = "Pattern of the events that it takes, as JSON."
  type        = string

  # EventBridge matches fields by lists of values; a value that stands alone is refused at apply.
  validation {
    condition     = can(keys(jsondecode(var.pattern))) && length(try(keys(jsondecode(var.pattern)), [])) > 0 && alltrue([for value in try(values(jsondecode(var.pattern)), []) : can(value[0]) || can(keys(value))])
    error_message = "The pattern of rule ${var.name} is no pattern of events: write it with jsonencode({ source = [\"…\"] }), each field with a list of what it may be."
  }
}

variable "target_arn" {
  description = "What gets the events: an alias of a function, a topic or a queue, whose policy lets events.amazonaws.com in for this rule. Null where log_group is said."
  type        = string
  default     = null

  validation {
    condition     = (var.target_arn == null) != (var.log_group == null)
    error_message = "Rule ${var.name} gives its events to both or neither of target_arn and log_group: name one of them."
  }
}

variable "log_group" {
  description = "Log group that is made for the events: its name, which begins with /aws/events/, how long lines are kept, and a customer-managed key whose policy lets logs.REGION.amazonaws.com use it. Null where target_arn is said."
  type = object({
    name           = string
    retention_days = number
    kms_key_arn    = optional(string)
  })
  default = null

  validation {
    condition     = var.log_group == null || try(startswith(var.log_group.name, "/aws/events/"), false)
    error_message = "log_group.name has to begin with /aws/events/, where the log groups of events belong."
  }

  validation {
    condition     = var.log_group == null || try(contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_group.retention_days), false)
    error_message = "CloudWatch Logs has no retention of ${try(var.log_group.retention_days, 0)} days: choose 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or one of its longer ones."
  }
}

variable "dead_letter_arn" {
  description = "Queue, not a FIFO one, that gets what cannot be delivered; its policy has to let events.amazonaws.com send for this rule."
  type        = string

  validation {
    condition     = !endswith(var.dead_letter_arn, ".fifo")
    error_message = "EventBridge sends dead letters to no FIFO queue: name a standard queue as dead_letter_arn of rule ${var.name}."
  }
}

variable "retries" {
  description = "How often a delivery that failed is tried again, with growing pauses."
  type        = number
  default     = 185

  validation {
    condition     = var.retries >= 0 && var.retries <= 185 && floor(var.retries) == var.retries
    error_message = "retries has to be a whole number from 0 to 185: EventBridge tries no more often."
  }
}

variable "oldest_event" {
  description = "Seconds after which an event is not tried again."
  type        = number
  default     = 86400

  validation {
    condition     = var.oldest_event >= 60 && var.oldest_event <= 86400
    error_message = "oldest_event has to be from 60 to 86400 (one day)."
  }
}
