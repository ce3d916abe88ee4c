resource "google_cloud_run_v2_service_iam_member" "everybody" {
  name   = "summarize-visit"
  role   = "roles/run.invoker"
  member = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "everybody_signed_in" {
  name   = "summarize-visit"
  role   = "roles/run.invoker"
  member = "allAuthenticatedUsers"
}

resource "google_cloud_run_v2_service_iam_binding" "everybody" {
  name    = "summarize-visit"
  role    = "roles/run.invoker"
  members = ["serviceAccount:tasks@example.iam.gserviceaccount.com", "allUsers"]
}

resource "google_cloud_run_v2_service_iam_member" "tasks" {
  name   = "summarize-visit"
  role   = "roles/run.invoker"
  member = "serviceAccount:tasks@example.iam.gserviceaccount.com"
}
