\echo Use "CREATE EXTENSION contact_identity" to load this file. \quit

