# The names that Terraform shares with the code and the local stack stand in one file; a test compares
# it with functions/lumimd/runtime/settings.py, functions/main.py, infra/local/stack.py and firebase.json.
locals {
  deployment = jsondecode(file("${path.module}/../infra/deployment.json"))
  indexes    = jsondecode(file("${path.module}/../infra/firestore.indexes.json"))
  functions  = local.deployment.functions

  # A service on Cloud Run has no underscores in its name.
  services = { for name, _ in local.functions : name => replace(name, "_", "-") }

  # Cloud Run gives every service this address besides the one with a hash. It is known before the
  # function exists, so a function's environment can name any function, itself included.
  addresses = {
    for name, service in local.services :
    name => "https://${service}-${data.google_project.this.number}.${var.region}.run.app"
  }

  # May what? -> the names of the functions that may.
  allowed = {
    for permission in distinct(flatten([for f in local.functions : f.may])) :
    permission => toset([for name, f in local.functions : name if contains(f.may, permission)])
  }
}

data "google_project" "this" {
  project_id = var.project_id
}
