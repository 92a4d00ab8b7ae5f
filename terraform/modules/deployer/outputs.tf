output "deploy_role_arn" {
  description = "Role for deployments, from the GitHub environment."
  value       = aws_iam_role.this["deploy"].arn
}

output "plan_role_arn" {
  description = "Role for plans of pull requests."
  value       = aws_iam_role.this["plan"].arn
}

output "boundary_arn" {
  description = "Boundary of every role that a deployment makes."
  value       = aws_iam_policy.boundary.arn
}
