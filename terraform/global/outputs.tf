output "roles" {
  description = "For each environment: the role that deploys, the role that plans, and the boundary."
  value = {
    for name, deployer in module.deployer : name => {
      deploy   = deployer.deploy_role_arn
      plan     = deployer.plan_role_arn
      boundary = deployer.boundary_arn
    }
  }
}

output "api_gateway_logs_role" {
  description = "Role by which API Gateway writes access logs, for the other regions of the account; null where it was there before."
  value       = one(aws_iam_role.api_gateway_logs[*].arn)
}
