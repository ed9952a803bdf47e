# Targets that show what the Makefile makes of its variables, for test_makefile.py; read in the project's folder.
PIDS :=
include Makefile
words:
	@printf '%s\n' $(STUDY) $(call folder,cifar10) $(manifest)
nested-words:
	@$(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST)) words
environment:
	@env
libtorch:
	@printf '%s\n' $(BUILD) $(PACKAGES)
long:
	@$(call run,sh -c 'echo $$$$ > $(PIDS)/long; exec sleep 60')
nested:
	@$(call each,one two,$(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST)) long)
fails:
	@$(call run,sh -c 'exit 3'); echo "status $$?"
