variable "name" {
  description = "Name of the instance, its role and its profile."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "\"${var.name}\" (${length(var.name)} characters) cannot be the name of an instance and its role: use up to 64 letters, digits, hyphens and underscores; shorten project or environment if it is too long."
  }
}

variable "region" {
  description = "Region of the instance."
  type        = string
}

variable "account" {
  description = "Account of the instance."
  type        = string
}

variable "partition" {
  description = "Partition of the account."
  type        = string
}

variable "architecture" {
  description = "Processor of the instance: arm64 or x86_64; instance_type has to have it."
  type        = string

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Amazon Linux has no architecture \"${var.architecture}\": choose arm64 or x86_64."
  }
}

variable "instance_type" {
  description = "Type of the instance, such as t4g.micro."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", var.instance_type))
    error_message = "\"${var.instance_type}\" is no type of instances: write one such as t4g.micro."
  }

  # The families of Graviton have a g after their number: t4g, m7gd, c8gn (Amazon EC2 User Guide, "Instance type names").
  validation {
    condition     = can(regex("^[a-z]+[0-9]+g[a-z0-9-]*\\.", var.instance_type)) == (var.architecture == "arm64")
    error_message = "Instances of type ${var.instance_type} are not ${var.architecture}: choose another type (t4g.micro for arm64, t3.micro for x86_64)."
  }
}

variable "private_subnet_id" {
  description = "Subnet of an instance that nobody reaches from outside."
  type        = string
}

variable "public_subnet_id" {
  description = "Subnet of an instance with http_cidrs or ssh_cidrs."
  type        = string
}

variable "security_group_id" {
  description = "Security group of the instance, to which the rules for HTTP and SSH are added."
  type        = string
}

variable "http_cidrs" {
  description = "From where port 80 can be reached; empty: from nowhere."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.http_cidrs : can(cidrhost(cidr, 0)) && !strcontains(cidr, ":")])
    error_message = "http_cidrs has something that is no range of IPv4 addresses: ${join(", ", var.http_cidrs)}. Write each like 203.0.113.0/24."
  }
}

variable "ssh_cidrs" {
  description = "From where port 22 can be reached; empty: from nowhere, and Session Manager is the way in."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : can(cidrhost(cidr, 0)) && !strcontains(cidr, ":")])
    error_message = "ssh_cidrs has something that is no range of IPv4 addresses: ${join(", ", var.ssh_cidrs)}. Write each like 203.0.113.0/24."
  }

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, true)])
    error_message = "ssh_cidrs opens SSH to the world: name the addresses from where you sign in, such as 203.0.113.0/24, or leave it empty and use Session Manager."
  }
}

variable "key_name" {
  description = "Key pair for SSH; null: none."
  type        = string
  default     = null
}

variable "statements" {
  description = "What the instance may do, besides being reached by Session Manager: the statements of its role's policy."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))
  default = []

  validation {
    condition     = alltrue([for statement in var.statements : alltrue([for action in statement.actions : can(regex("^[a-z0-9-]+:[A-Za-z0-9]+$", action))])])
    error_message = "A statement has an action that is none, or one with a wildcard: name each action in full, such as rds-db:connect."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key of the volume; null: the account's key alias/aws/ebs."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Boundary of the role; null: none."
  type        = string
  default     = null
}
