# The permitted callers of each function. The platform refuses other callers before our code runs.
locals {
  called_by = {
    for name, f in local.functions : name => google_service_account.caller[f.trigger].member
    if contains(["storage", "tasks", "scheduler"], f.trigger)
  }
}

resource "google_cloud_run_v2_service_iam_member" "caller" {
  for_each = local.called_by

  location = var.region
  name     = google_cloudfunctions2_function.this[each.key].name
  role     = "roles/run.invoker"
  member   = each.value
}

# The provider authenticates with a secret header, clients with an ID token. Neither is a Google
# account, so the platform admits all callers to these two functions, and their code checks them.
# README.md explains the setup under an organization policy that forbids allUsers.
resource "google_cloud_run_v2_service_iam_member" "public" {
  #checkov:skip=CKV2_LUMIMD_4:only functions that deployment.json marks public, and check their callers themselves
  for_each = toset([for name, f in local.functions : name if f.public && var.open_to_all_users])

  location = var.region
  name     = google_cloudfunctions2_function.this[each.key].name
  role     = "roles/run.invoker"
  member   = "allUsers"
}
