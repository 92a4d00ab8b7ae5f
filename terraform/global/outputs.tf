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
