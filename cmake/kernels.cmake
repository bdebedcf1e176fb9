# The alignment's kernels (semcorr_ros/methods/semalign3d/alignment/compiled/kernels): one library for each kind of processor
# in variants.txt, by the flags in flags.txt and nothing else, so that they round as those that build.py makes
# where there is no colcon. The name holds a digest of the sources: one of others is not loaded.

# kernels_targets(folder destination): build the libraries of the sources in `folder`, install them.
function(kernels_targets folder destination)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp ${folder}/*.hpp ${folder}/*.txt)
  list(SORT sources)
  set(listed "")
  foreach(source IN LISTS sources)
    file(SHA256 ${source} hash)
    string(APPEND listed ${hash})
  endforeach()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sources})
  string(SHA256 digest "${listed}")
  string(SUBSTRING ${digest} 0 12 digest)
  file(STRINGS ${folder}/flags.txt flags)
  file(STRINGS ${folder}/variants.txt variants)
  foreach(line IN LISTS variants)
    string(REPLACE " " ";" words "${line}")
    list(POP_FRONT words architecture variant)
    if(architecture STREQUAL "any" OR architecture STREQUAL CMAKE_SYSTEM_PROCESSOR)
      set(target semcorr_kernels_${variant})
      add_library(${target} MODULE ${folder}/kernels.cpp)
      target_compile_options(${target} PRIVATE ${flags} ${words})
      set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" UNITY_BUILD OFF
        OUTPUT_NAME semcorr_kernels-${digest}-${variant})
      install(TARGETS ${target} LIBRARY DESTINATION ${destination})
    endif()
  endforeach()
endfunction()
