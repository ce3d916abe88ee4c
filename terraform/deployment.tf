# One file has the names that Terraform shares with the code and the local stack; a test compares it
# with functions/lumimd/runtime/settings.py, functions/main.py, infra/local/stack.py and firebase.json.
locals {
  deployment = jsondecode(file("${path.module}/../infra/deployment.json"))
  indexes    = jsondecode(file("${path.module}/../infra/firestore.indexes.json"))
  functions  = local.deployment.functions

  # A service on Cloud Run has no underscores in its name.
  services = { for name, _ in local.functions : name => replace(name, "_", "-") }

  # Every service on Cloud Run has this address besides the one with a hash. It is known before the
  # function exists, so the environment of a function can contain any function's address, also its own.
  addresses = {
    for name, service in local.services :
    name => "https://${service}-${data.google_project.this.number}.${var.region}.run.app"
  }

  # Permission -> the names of the functions that have it.
  allowed = {
    for permission in distinct(flatten([for f in local.functions : f.may])) :
    permission => toset([for name, f in local.functions : name if contains(f.may, permission)])
  }
}

data "google_project" "this" {
  project_id = var.project_id
}
