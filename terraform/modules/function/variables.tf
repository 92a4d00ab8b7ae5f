variable "name" {
  description = "Name of the function and of its role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "\"${var.name}\" (${length(var.name)} characters) cannot be the name of a function and its role: use up to 64 letters, digits, hyphens and underscores; shorten project or environment if it is too long."
  }
}

variable "description" {
  description = "What the function does."
  type        = string
}

variable "artifact" {
  description = "The deployment package: the artifact bucket of the region, the handler, and the digest of the zip, sha256: and 64 hex digits. It is the object functions/HANDLER/HEX.zip."
  type = object({
    bucket  = string
    handler = string
    digest  = string
  })

  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.artifact.digest))
    error_message = "\"${var.artifact.digest}\" is not the digest of an artifact: write sha256: and the 64 lower-case hex digits that claimctl package build prints for ${var.artifact.handler}."
  }

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.artifact.handler))
    error_message = "\"${var.artifact.handler}\" is not the name of a handler: use lower-case letters, digits and hyphens, as in claimctl package build."
  }
}

variable "architecture" {
  description = "Processor that the artifact is built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Lambda has no architecture \"${var.architecture}\": choose arm64 or x86_64, whichever the artifact was built for."
  }
}

variable "memory_size" {
  description = "Memory in MiB; the share of processors grows with it."
  type        = number
  default     = 256

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240
    error_message = "memory_size has to be from 128 to 10240 (MiB)."
  }
}

variable "timeout" {
  description = "Seconds after which an invocation is ended."
  type        = number
  default     = 30

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900
    error_message = "timeout has to be from 1 to 900 (15 minutes)."
  }
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
  default     = {}
}

variable "reserved_concurrency" {
  description = "Invocations at a time that are kept for the function, and the most that it gets; 0 stops it, null reserves nothing."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null || try(var.reserved_concurrency >= 0 && floor(var.reserved_concurrency) == var.reserved_concurrency, false)
    error_message = "reserved_concurrency has to be a whole number from 0; leave it null to reserve nothing."
  }
}

variable "statements" {
  description = "What the function may do, besides writing its log: the statements of its role's policy."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
    conditions = optional(list(object({
      test     = string
      variable = string
      values   = list(string)
    })), [])
  }))
  default = []

  validation {
    condition     = alltrue([for statement in var.statements : alltrue([for action in statement.actions : can(regex("^[a-z0-9-]+:[A-Za-z0-9]+$", action))])])
    error_message = "A statement has an action that is none, or one with a wildcard: name each action in full, such as s3:GetObject."
  }

  validation {
    condition     = alltrue([for statement in var.statements : alltrue([for resource in statement.resources : startswith(resource, "arn:")])])
    error_message = "A statement allows more than named resources: give each as an ARN."
  }
}

variable "permissions_boundary_arn" {
  description = "Boundary of the role; null: none."
  type        = string
  default     = null
}

variable "log_kms_key_arn" {
  description = "Customer-managed key that encrypts the log; its policy has to let logs.REGION.amazonaws.com use it. Null: CloudWatch's own keys."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn is not the ARN of a KMS key: write arn:PARTITION:kms:REGION:ACCOUNT:key/ID (an alias does not do)."
  }
}

variable "log_retention_days" {
  description = "Days that log lines are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs has no retention of ${var.log_retention_days} days: choose 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or one of its longer ones."
  }
}

variable "asynchronous" {
  description = "What happens to events of services that do not wait for the answer (S3, EventBridge Scheduler): how often a failed one is tried again, the queue that gets it in the end, and whether that is so for the unqualified function too (latest). Null: Lambda tries twice more and drops it."
  type = object({
    retries        = number
    on_failure_arn = optional(string)
    latest         = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.asynchronous == null || try(contains([0, 1, 2], var.asynchronous.retries), false)
    error_message = "asynchronous.retries has to be 0, 1 or 2: Lambda does not try a failed event more often."
  }
}

variable "source_queue" {
  description = "Queue that the function works off. The role needs sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes on it."
  type = object({
    arn                     = string
    batch_size              = optional(number, 10)
    batching_window_seconds = optional(number, 0)
    maximum_concurrency     = optional(number)
  })
  default = null

  validation {
    condition     = var.source_queue == null || try(var.source_queue.batch_size >= 1 && var.source_queue.batch_size <= 10000, false)
    error_message = "source_queue.batch_size has to be from 1 to 10000."
  }

  validation {
    condition     = var.source_queue == null || try(var.source_queue.batching_window_seconds >= 0 && var.source_queue.batching_window_seconds <= 300, false)
    error_message = "source_queue.batching_window_seconds has to be from 0 to 300."
  }

  validation {
    condition     = var.source_queue == null || try(var.source_queue.batch_size <= 10 || var.source_queue.batching_window_seconds >= 1, false)
    error_message = "A batch of more than ten messages takes time to come together: set source_queue.batching_window_seconds to 1 or more, or batch_size to 10 or less."
  }

  validation {
    condition     = try(var.source_queue.maximum_concurrency, null) == null || try(var.source_queue.maximum_concurrency >= 2 && var.source_queue.maximum_concurrency <= 1000, false)
    error_message = "source_queue.maximum_concurrency has to be from 2 to 1000; leave it out for no limit."
  }

  # The mapping would poll more than the function may take, and messages that are throttled go to the dead letters.
  validation {
    condition     = var.source_queue == null || var.reserved_concurrency == null || try(var.source_queue.maximum_concurrency <= var.reserved_concurrency, false)
    error_message = "With a reserved concurrency the queue must not ask for more: set source_queue.maximum_concurrency to reserved_concurrency or less."
  }
}

variable "source_stream" {
  description = "Stream of a table that the function reads from its beginning: how many records a batch has, how often a record that fails is tried again and how old it may become (seconds), and the queue that gets the position in the stream of what failed in the end."
  type = object({
    arn            = string
    on_failure_arn = string
    batch_size     = optional(number, 100)
    retries        = optional(number, 10)
    oldest_record  = optional(number, 3600)
  })
  default = null

  validation {
    condition     = var.source_stream == null || var.source_queue == null
    error_message = "A function has one source: name source_queue or source_stream, and make another function for the other."
  }

  validation {
    condition     = var.source_stream == null || can(regex("^arn:[a-z-]+:dynamodb:.+:table/[^/]+/stream/.+$", var.source_stream.arn))
    error_message = "source_stream.arn is not the ARN of a table's stream: write arn:PARTITION:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL."
  }

  validation {
    condition     = var.source_stream == null || try(var.source_stream.batch_size >= 1 && var.source_stream.batch_size <= 1000, false)
    error_message = "source_stream.batch_size has to be from 1 to 1000: a thousand records take 6 MB at most only while they are short, and more would have to be waited for."
  }

  # A stream that is tried for ever stops all that comes after the record at fault.
  validation {
    condition     = var.source_stream == null || try(var.source_stream.retries >= 0 && var.source_stream.retries <= 10000, false)
    error_message = "source_stream.retries has to be from 0 to 10000."
  }

  validation {
    condition     = var.source_stream == null || try(var.source_stream.oldest_record >= 60 && var.source_stream.oldest_record <= 86400, false)
    error_message = "source_stream.oldest_record has to be from 60 to 86400: a stream keeps its records for a day."
  }
}

variable "invokers" {
  description = "Services that may invoke the alias by its resource policy, by the id of their statement: each for one resource (source_arn) of one account."
  type = map(object({
    service        = string
    source_arn     = string
    source_account = string
  }))
  default = {}

  validation {
    condition     = alltrue([for invoker in var.invokers : endswith(invoker.service, ".amazonaws.com")])
    error_message = "An invoker is no service principal: write its service like s3.amazonaws.com."
  }
}

variable "vpc_config" {
  description = "Where the function runs inside a network: its subnets and security groups. Null: outside of any."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc_config == null || try(length(var.vpc_config.subnet_ids) > 0 && length(var.vpc_config.security_group_ids) > 0, false)
    error_message = "vpc_config needs a subnet and a security group at least; leave it null for a function outside of any network."
  }
}
