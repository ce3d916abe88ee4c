mock_data "google_project" {
  defaults = { number = "123456789012" }
}

mock_data "google_storage_project_service_account" {
  defaults = { email_address = "storage-agent@example.iam.gserviceaccount.com" }
}

mock_resource "google_service_account" {
  defaults = {
    email  = "account@example.iam.gserviceaccount.com"
    member = "serviceAccount:account@example.iam.gserviceaccount.com"
  }
}

mock_resource "google_kms_crypto_key" {
  defaults = { id = "projects/example/locations/us-central1/keyRings/ring/cryptoKeys/key" }
}
