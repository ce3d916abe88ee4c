# Location and operation. Data, people and providers: variables_*.tf.
variable "project_id" {
  type        = string
  description = "The project to deploy into. It holds nothing else, since its accounts and keys are named after the parts."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project's id has 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "environment" {
  type        = string
  description = "dev or prod; a label on everything, and what the variables below are checked against."

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "One of: dev, prod."
  }
}

variable "region" {
  type        = string
  description = "The region of the functions and the recordings, for example us-central1 or europe-west3."

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "A single region such as us-central1: the bucket and its trigger must be in one place."
  }
}

variable "firestore_location" {
  type        = string
  description = "The location of the visits: a region, or nam5, nam7 or eur3 (several regions). It can never be changed."

  validation {
    condition     = can(regex("^(nam5|nam7|eur3|[a-z]+-[a-z]+[0-9]{1,2})$", var.firestore_location))
    error_message = "A region, or nam5, nam7 or eur3."
  }
}

variable "min_instances" {
  type        = map(number)
  description = "Entry point -> instances kept warm. Without one, the first call after a pause waits for a cold start."
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.min_instances), keys(local.functions))) == 0
    error_message = "Only entry points of infra/deployment.json."
  }
}

variable "all_traffic_on_latest_revision" {
  type        = bool
  description = "Whether a deployment takes all traffic at once. false, for a canary: traffic stays as it is. Pin it first (scripts/release pin --yes), else a new revision has all of it."
  default     = true
}

variable "new_functions" {
  type        = set(string)
  description = "Entry points that a canary deploys for the first time: there is no traffic to pin."
  default     = []

  validation {
    condition     = length(setsubtract(var.new_functions, keys(local.functions))) == 0
    error_message = "Only entry points of infra/deployment.json."
  }
}

variable "source_archive" {
  type        = string
  description = "The archive that scripts/build made."
  default     = "../dist/functions.zip"
}
