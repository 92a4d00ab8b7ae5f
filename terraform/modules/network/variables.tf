variable "name" {
  description = "What the names of everything in the network begin with."
  type        = string

  # The longest name is that of the flow log's role.
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,55}$", var.name))
    error_message = "\"${var.name}\" (${length(var.name)} characters) cannot be the name of a network: use up to 55 letters, digits, hyphens and underscores; shorten project or environment if it is too long."
  }
}

variable "account" {
  description = "Account that owns the network, and the only one that uses its endpoints."
  type        = string
}

variable "partition" {
  description = "Partition of the account."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network: a private range of 16 to 22 bits. It must not overlap with networks that are to be connected to it."
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)[0-9.]+/(1[6-9]|2[0-2])$", var.cidr))
    error_message = "\"${var.cidr}\" cannot be the addresses of a network: write a private range (of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16) of 16 to 22 bits, such as 10.42.0.0/16."
  }
}

variable "zones" {
  description = "How many availability zones the network is in: 2 or 3."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones has to be 2 or 3: Aurora keeps its instances in two zones at least."
  }
}

variable "bucket_arns" {
  description = "Buckets that can be reached from the network."
  type        = list(string)
}

variable "interface_endpoints" {
  description = "Services that can be reached from the network, such as secretsmanager. Each costs by the hour and zone."
  type        = set(string)
  default     = []
}

variable "nat_gateway" {
  description = "Whether the private subnets lead to the internet, through a NAT gateway, which costs by the hour and by what goes through it."
  type        = bool
  default     = false
}

variable "flow_log_retention_days" {
  description = "Days that the flow log is kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_retention_days)
    error_message = "CloudWatch Logs has no retention of ${var.flow_log_retention_days} days: choose 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or one of its longer ones."
  }
}

variable "log_kms_key_arn" {
  description = "Customer-managed key that encrypts the flow log; its policy has to let logs.REGION.amazonaws.com use it. Null: CloudWatch's own keys."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Boundary of the role that writes the flow log; null: none."
  type        = string
  default     = null
}
