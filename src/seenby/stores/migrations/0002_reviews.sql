-- What reviewers sign about break-glass: that it was justified, or that it was not.

ALTER TABLE decisions DROP CONSTRAINT decisions_verb_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_verb_check
    CHECK (verb IN ('approve', 'deny', 'revoke', 'review', 'review-unjustified'));
