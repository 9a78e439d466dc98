CREATE TABLE `auth_attempts` (
	`id` text PRIMARY KEY NOT NULL,
	`count` integer NOT NULL,
	`until` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `auth_attempts_until_idx` ON `auth_attempts` (`until`);--> statement-breakpoint
CREATE TABLE `auth_audit_log` (
	`subject` text NOT NULL,
	`id` text NOT NULL,
	`action` text NOT NULL,
	`actor` text,
	`ip` text,
	`data` text DEFAULT '{}' NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`subject`, `id`)
);
--> statement-breakpoint
CREATE INDEX `auth_audit_log_at_idx` ON `auth_audit_log` (`at`);--> statement-breakpoint
CREATE TABLE `auth_challenges` (
	`user_id` text NOT NULL,
	`id` text NOT NULL,
	`factor_id` text NOT NULL,
	`session_id` text,
	`ip` text,
	`tries` integer DEFAULT 0 NOT NULL,
	`data` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `id`),
	FOREIGN KEY (`user_id`) REFERENCES `auth_users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `auth_challenges_expires_at_idx` ON `auth_challenges` (`expires_at`);--> statement-breakpoint
CREATE TABLE `auth_factors` (
	`user_id` text NOT NULL,
	`id` text NOT NULL,
	`factor_type` text NOT NULL,
	`friendly_name` text,
	`status` text DEFAULT 'unverified' NOT NULL,
	`secret` text,
	`phone` text,
	`data` text DEFAULT '{}' NOT NULL,
	`last_challenged_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `id`),
	FOREIGN KEY (`user_id`) REFERENCES `auth_users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `auth_flow_states` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`user_id` text,
	`data` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `auth_flow_states_expires_at_idx` ON `auth_flow_states` (`expires_at`);--> statement-breakpoint
CREATE TABLE `auth_identities` (
	`user_id` text NOT NULL,
	`id` text NOT NULL,
	`provider` text NOT NULL,
	`provider_id` text NOT NULL,
	`provider_key` text,
	`email` text,
	`identity_data` text DEFAULT '{}' NOT NULL,
	`last_sign_in_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `id`),
	FOREIGN KEY (`user_id`) REFERENCES `auth_users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `auth_identities_provider_key_unique` ON `auth_identities` (`provider_key`);--> statement-breakpoint
CREATE TABLE `auth_one_time_tokens` (
	`user_id` text NOT NULL,
	`kind` text NOT NULL,
	`link_hash` text NOT NULL,
	`code_hash` text NOT NULL,
	`sent_to` text NOT NULL,
	`tries` integer DEFAULT 0 NOT NULL,
	`code_challenge` text,
	`code_challenge_method` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `kind`),
	FOREIGN KEY (`user_id`) REFERENCES `auth_users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `auth_one_time_tokens_expires_at_idx` ON `auth_one_time_tokens` (`expires_at`);--> statement-breakpoint
CREATE TABLE `auth_sessions` (
	`user_id` text NOT NULL,
	`id` text NOT NULL,
	`salt` text NOT NULL,
	`counter` integer DEFAULT 0 NOT NULL,
	`aal` text DEFAULT 'aal1' NOT NULL,
	`amr` text NOT NULL,
	`factor_id` text,
	`ip` text,
	`user_agent` text,
	`created_at` integer NOT NULL,
	`refreshed_at` integer NOT NULL,
	`not_after` integer,
	PRIMARY KEY(`user_id`, `id`),
	FOREIGN KEY (`user_id`) REFERENCES `auth_users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `auth_sessions_refreshed_at_idx` ON `auth_sessions` (`refreshed_at`);--> statement-breakpoint
CREATE TABLE `auth_signing_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`public_jwk` text NOT NULL,
	`private_jwk` text,
	`created_at` integer NOT NULL,
	`active_at` integer NOT NULL,
	`ends_at` integer
);
--> statement-breakpoint
CREATE TABLE `auth_users` (
	`id` text PRIMARY KEY NOT NULL,
	`role` text DEFAULT 'authenticated' NOT NULL,
	`email` text,
	`email_confirmed_at` integer,
	`phone` text,
	`phone_confirmed_at` integer,
	`password_hash` text,
	`new_email` text,
	`new_phone` text,
	`new_email_half` text,
	`invited_at` integer,
	`confirmation_sent_at` integer,
	`recovery_sent_at` integer,
	`email_change_sent_at` integer,
	`phone_change_sent_at` integer,
	`reauthentication_sent_at` integer,
	`last_sign_in_at` integer,
	`app_metadata` text DEFAULT '{}' NOT NULL,
	`user_metadata` text DEFAULT '{}' NOT NULL,
	`is_anonymous` integer DEFAULT false NOT NULL,
	`is_sso_user` integer DEFAULT false NOT NULL,
	`banned_until` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `auth_users_email_unique` ON `auth_users` (`email`);--> statement-breakpoint
CREATE UNIQUE INDEX `auth_users_phone_unique` ON `auth_users` (`phone`);--> statement-breakpoint
CREATE INDEX `auth_users_created_at_idx` ON `auth_users` (`created_at`);--> statement-breakpoint
CREATE INDEX `auth_users_new_email_idx` ON `auth_users` (`new_email`);--> statement-breakpoint
CREATE INDEX `auth_users_new_phone_idx` ON `auth_users` (`new_phone`);