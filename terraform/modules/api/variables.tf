variable "name" {
  description = "Name of the API."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._/#-]{1,400}$", var.name))
    error_message = "\"${var.name}\" cannot be the name of an API and its log group: use up to 400 letters, digits, hyphens, dots and underscores."
  }
}

variable "description" {
  description = "What the API is for."
  type        = string
}

variable "stage" {
  description = "Name of the stage, the first part of every path."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage))
    error_message = "\"${var.stage}\" cannot be the name of a stage: use up to 128 letters, digits, hyphens and underscores."
  }
}

variable "schemas" {
  description = "JSON schemas (draft 4) of requests' bodies, by a name of letters and digits."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, schema in var.schemas : can(regex("^[A-Za-z0-9]+$", name)) && can(keys(jsondecode(schema)))])
    error_message = "A schema is not a JSON object, or its name has more than letters and digits: give each as the text of its file."
  }

  validation {
    condition     = alltrue([for schema in var.schemas : try(jsondecode(schema)["$schema"] == "http://json-schema.org/draft-04/schema#", false)])
    error_message = "API Gateway checks requests by JSON schema draft 4, and by no other: begin each schema with \"$schema\": \"http://json-schema.org/draft-04/schema#\"."
  }
}

variable "methods" {
  description = "The methods, by a name of your choice: the path (of one or two parts, such as /payments/{payment_id}), the schema of the body by its name, and the parameters (header.NAME, querystring.NAME, path.NAME) with whether each is required."
  type = map(object({
    method     = string
    path       = string
    schema     = optional(string)
    parameters = optional(map(bool), {})
  }))

  validation {
    condition     = length(var.methods) > 0 && alltrue([for method in var.methods : contains(["DELETE", "GET", "PATCH", "POST", "PUT"], method.method)])
    error_message = "An API needs a method, and each has to be one of DELETE, GET, PATCH, POST and PUT."
  }

  validation {
    condition     = alltrue([for method in var.methods : can(regex("^(/([A-Za-z0-9._-]+|\\{[A-Za-z0-9_]+\\})){1,2}$", method.path))])
    error_message = "A path is none, or has more than two parts: write it like /payments or /payments/{payment_id}."
  }

  validation {
    condition     = alltrue([for method in var.methods : method.schema == null || try(contains(keys(var.schemas), method.schema), false)])
    error_message = "A method names a schema that schemas does not have: ${join(", ", [for method in var.methods : coalesce(method.schema, "-") if method.schema != null])}."
  }

  validation {
    condition     = alltrue([for method in var.methods : alltrue([for name in keys(method.parameters) : can(regex("^(header|querystring|path)\\.[A-Za-z0-9._-]+$", name))])])
    error_message = "A parameter is none: write it as header.NAME, querystring.NAME or path.NAME."
  }
}

variable "invoke_arn" {
  description = "Where the function's alias is invoked (its invoke ARN). The alias has to let apigateway.amazonaws.com in for the API's execution_arn."
  type        = string
}

variable "throttling" {
  description = "Requests that the stage takes: so many a second (rate), and so many at once (burst). What is above gets 429."
  type = object({
    rate  = number
    burst = number
  })
  default = { rate = 100, burst = 200 }

  validation {
    condition     = var.throttling.rate >= 1 && var.throttling.burst >= 1 && floor(var.throttling.burst) == var.throttling.burst
    error_message = "throttling.rate has to be 1 or more requests a second, and throttling.burst a whole number from 1: with less, the API would take nothing."
  }
}

variable "log_retention_days" {
  description = "Days that lines of the access log are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs has no retention of ${var.log_retention_days} days: choose 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or one of its longer ones."
  }
}

variable "log_kms_key_arn" {
  description = "Customer-managed key that encrypts the access log; its policy has to let logs.REGION.amazonaws.com use it. Null: CloudWatch's own keys."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn is not the ARN of a KMS key: write arn:PARTITION:kms:REGION:ACCOUNT:key/ID (an alias does not do)."
  }
}
