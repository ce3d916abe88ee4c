# Containers only: no secret's value is ever in Terraform's state. README.md explains how to fill them.
resource "google_secret_manager_secret" "this" {
  for_each = toset(values(local.deployment.secrets))

  secret_id = each.key

  replication {
    user_managed {
      replicas {
        location = var.region

        customer_managed_encryption {
          kms_key_name = google_kms_crypto_key.this["secrets"].id
        }
      }
    }
  }

  # A version destroyed by mistake can be restored for this time.
  version_destroy_ttl = "604800s"

  depends_on = [time_sleep.keys]
}

locals {
  # The secrets of each function, as environment variables: only secrets with a pinned version.
  function_secrets = {
    for name, f in local.functions :
    name => [for variable in f.secrets : variable if contains(keys(var.secret_versions), variable)]
  }
  secret_readers = {
    for pair in distinct(flatten([
      for name, variables in local.function_secrets : [
        for variable in variables : { function = name, secret = local.deployment.secrets[variable] }
      ]
    ])) : "${pair.function}/${pair.secret}" => pair
  }
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.secret_readers

  secret_id = google_secret_manager_secret.this[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}
